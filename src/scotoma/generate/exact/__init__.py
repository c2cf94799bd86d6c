"""The agents of worlds: exact, without a model. Each can be exchanged for another (`scotoma.generate.handover`).

>>> from scotoma.generate.exact.planner import ExactPlanner
"""

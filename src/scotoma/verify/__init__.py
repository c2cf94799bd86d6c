"""Who decides whether a question is valid and an answer right: facts first, then rules.

Needs only `core`; its files: `facts`, `rules`.

    from scotoma.verify.facts import FactsVerifier
"""

"""The agents of photos: language models on PydanticAI plan, write and validate. Part of the extra `agents`.

>>> from scotoma.generate.llm.planner import LanguagePlanner
"""

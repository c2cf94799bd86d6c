"""Who decides whether a question is valid and an answer right: facts first, then rules, then judges.

Needs only `core`: a judge is handed its `ChatModel`. Its files, in reading order: `facts`, `rules` (with `bare`,
`quantities`, `formulas` and `choices`), `judge` (with `rulings` and `prompts/`), `consensus`; `chain` orders them.

    from scotoma.verify.chain import VerifierChain
"""

"""From answered questions to what the candidate cannot do: statistics, failure modes, richness and the mixture.

Needs no torch, so that it runs on a copied ledger. Its files, bottom up: `statistics`, `richness`, `conditions`,
`description`, `subgroups`, `modes`, `mixture`.

    from scotoma.diagnose.modes import confirm, suspect
"""

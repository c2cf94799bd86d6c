"""The questioner and the loop that finds: ask, judge, pay, learn; then name and prove."""

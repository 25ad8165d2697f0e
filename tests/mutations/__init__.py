"""One mutation for every rule about tokens and answers, and the test that has to miss the rule.

`tables` holds the rows, a module a subject or a mode. A new rule comes with a row; a new mode or
feature brings a table of its own, which is found by itself.
"""

"""The command line: everything an operator does, for people at a terminal and for scripts.

Modules here hold one group of commands each. What is heavy is imported inside the commands, so that help and
mistakes are answered at once. Only this package and the web dependency commit.
"""

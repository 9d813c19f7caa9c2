"""Runs the SQL file that its argument names on SQLite (DATABASE), and prints the rows."""
import os
import sqlite3
import sys

with open(sys.argv[1]) as file:
    for (line,) in sqlite3.connect(os.environ["DATABASE"]).execute(file.read()):
        print(line)

# Copyright (c) 2026 The tailgate authors
# SPDX-License-Identifier: ISC
#
# Runs contrib/ledger on the real engines that PyPI has.
#
#   ledger_sql.py ENGINE DIR OUT FILE...
#
# ENGINE is duckdb or clickhouse (chdb); ENGINE.sql is in DIR; the files are
# loaded twice.  The result of question N is written to OUT/N, as CSV.

import csv
import os
import re
import sys
import urllib.parse


def questions(directory, engine):
    with open(os.path.join(directory, engine + "_questions.sql")) as f:
        return re.split(r"(?m)^-- \d+\. .*\n", f.read())[1:]


def text_of(*path):
    with open(os.path.join(*path)) as f:
        return f.read()


def duckdb_ask(directory, out, files):
    import duckdb
    db = duckdb.connect()
    db.execute(text_of(directory, "duckdb.sql"))
    for name in files * 2:
        db.execute("SET VARIABLE ledger = '%s'" % name)
        db.execute(text_of(directory, "duckdb_load.sql"))
    for i, question in enumerate(questions(directory, "duckdb"), 1):
        with open(os.path.join(out, str(i)), "w") as f:
            csv.writer(f, lineterminator="\n").writerows(
                db.execute(question).fetchall())


def shipped_by(directory, *names):
    """The INSERT that each shipper's configuration makes of its address."""
    for name in names:
        address = re.search(r"^ *uri: \"?\S*/\?(\S+?)\"?$",
                            text_of(directory, name), re.M).group(1)
        # Vector would expand it as a part of a time.
        assert "%" not in address
        settings = dict(urllib.parse.parse_qsl(address))
        query, database = settings.pop("query"), settings.pop("database")
        assert database == "tailgate"
        yield query.replace(" FORMAT", " SETTINGS %s FORMAT" % ", ".join(
            "%s = '%s'" % pair for pair in settings.items()))


def clickhouse_ask(directory, out, files):
    from chdb import session
    db = session.Session(os.path.join(out, "clickhouse"))
    for statement in text_of(directory, "clickhouse.sql").split(";\n"):
        if statement.strip():
            db.query(statement)
    for insert in shipped_by(directory, "vector.yaml", "fluent-bit.yaml"):
        for name in files:
            db.query(insert + "\n" + text_of(name))
    for i, question in enumerate(questions(directory, "clickhouse"), 1):
        with open(os.path.join(out, str(i)), "w") as f:
            f.write(str(db.query(question.strip().rstrip(";"), "CSV")))


if __name__ == "__main__":
    {"duckdb": duckdb_ask, "clickhouse": clickhouse_ask}[sys.argv[1]](
        sys.argv[2], sys.argv[3], sys.argv[4:])

"""A site that keeps its tokens in a table of SQLite (DATABASE), in the way that PACKAGE names. Prints its port, then
serves:

POST /login?user=NAME   logs a user in; the token is in the answer
GET  /auth              200 with X-Auth-User, or 401
POST /accounts/logout   deletes the request's token

No packages. sanctum: Laravel Sanctum's table, strings and look-up, written after its source text (version 4:
create_personal_access_tokens_table, HasApiTokens::createToken, PersonalAccessToken::findToken). sha256: a system of the
site's own, which stores the strings and has them in a cookie.
"""
import hashlib
import json
import os
import secrets
import sqlite3
import string
import zlib
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Sanctum:
    TABLE = """
    CREATE TABLE personal_access_tokens (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tokenable_type VARCHAR NOT NULL,
        tokenable_id INTEGER NOT NULL,
        name VARCHAR NOT NULL,
        token VARCHAR NOT NULL UNIQUE,
        abilities TEXT,
        last_used_at DATETIME,
        expires_at DATETIME,
        created_at DATETIME,
        updated_at DATETIME
    )
    """
    DELETE = "DELETE FROM personal_access_tokens WHERE id = ?"

    @staticmethod
    def create(database, user):
        entropy = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40))
        plain_text = f"{entropy}{zlib.crc32(entropy.encode()):08x}"
        row = database.execute(
            "INSERT INTO personal_access_tokens"
            " (tokenable_type, tokenable_id, name, token, abilities, created_at, updated_at)"
            " VALUES (?, ?, 'phone', ?, '[\"*\"]', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)",
            ("App\\Models\\User", user, sha256(plain_text)),
        )
        return f"{row.lastrowid}|{plain_text}"

    @staticmethod
    def find(database, headers):
        scheme, _, text = headers.get("Authorization", "").partition(" ")
        row_id, bar, plain_text = text.partition("|")
        if scheme.lower() != "bearer" or not bar or not row_id.isdigit():
            return None
        query = "SELECT id, tokenable_id, token FROM personal_access_tokens WHERE id = ?"
        row = database.execute(query, (row_id,)).fetchone()
        if row is None or not secrets.compare_digest(row[2], sha256(plain_text)):
            return None
        database.execute("UPDATE personal_access_tokens SET last_used_at = CURRENT_TIMESTAMP WHERE id = ?", (row_id,))
        return row[:2]


class Sha256:
    TABLE = "CREATE TABLE sessions (token TEXT PRIMARY KEY, user_id INTEGER NOT NULL, created_at DATETIME NOT NULL)"
    DELETE = "DELETE FROM sessions WHERE token = ?"

    @staticmethod
    def create(database, user):
        token = secrets.token_urlsafe(32)
        database.execute("INSERT INTO sessions VALUES (?, ?, CURRENT_TIMESTAMP)", (token, user))
        return token

    @staticmethod
    def find(database, headers):
        cookie = SimpleCookie(headers.get("Cookie", "")).get("session")
        query = "SELECT token, user_id FROM sessions WHERE token = ?"
        return cookie and database.execute(query, (cookie.value,)).fetchone()


SYSTEM = {"sanctum": Sanctum, "sha256": Sha256}[os.environ["PACKAGE"]]


def open_database():
    database = sqlite3.connect(os.environ["DATABASE"], timeout=30, isolation_level=None)
    # Do not wait for the disk.
    database.execute("PRAGMA synchronous = OFF")
    return database


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = SYSTEM.find(open_database(), self.headers)
        self.answer(200, {"X-Auth-User": str(found[1])}) if found else self.answer(401)

    def do_POST(self):
        url, database = urlsplit(self.path), open_database()
        if url.path == "/login":
            return self.answer(200, body={"token": SYSTEM.create(database, parse_qs(url.query)["user"][0])})
        found = SYSTEM.find(database, self.headers)
        if found is None:
            return self.answer(401)
        database.execute(SYSTEM.DELETE, (found[0],))
        self.answer(200)

    def answer(self, status, headers={}, body=None):
        content = json.dumps(body).encode() if body else b""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    open_database().execute(SYSTEM.TABLE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()

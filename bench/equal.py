"""An independent walk of a site, compared with what the archive holds.

usage: equal.py SEED DATA

Walks every page of the seed's host that links lead to (a, area, iframe, frame, meta refresh, HTTP redirects), with the
HTML parser and the URL functions of Python's standard library, and compares with the Parquet files under DATA, read by
pyarrow: the URLs with status 200, the edges of `a` links, the distinct bodies. Prints what differs; exit 1 if anything.
"""

import hashlib
import http.client
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import pyarrow.dataset as ds

UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def escapes(text):
    """Percent-encoding with upper-case digits, unreserved characters decoded (RFC 3986 6.2.2)."""

    def one(m):
        char = chr(int(m.group(1), 16))
        return char if char in UNRESERVED else "%" + m.group(1).upper()

    return re.sub(r"%([0-9A-Fa-f]{2})", one, text)


def canonical(base, reference):
    """Absolute canonical URL, or None when it is not http(s) or does not parse."""
    reference = re.sub(r"[\t\r\n]", "", reference).strip("\x00 \x0b\x0c\x1f")
    before, mark, after = re.match(r"([^?#]*)([?#]?)(.*)", reference, re.S).groups()
    reference = before.replace("\\", "/") + mark + after  # as browsers read it
    try:
        parts = urlsplit(urljoin(base, reference))
        port = parts.port
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    host = host.rstrip(".").encode("idna").decode() if not host.isascii() else host.rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    if port and port != {"http": 80, "https": 443}[parts.scheme]:
        host += f":{port}"
    path = quote(escapes(parts.path or "/"), safe="%/:@!$&'()*+,;=-._~[]|")
    query = quote(escapes(parts.query), safe="%/?:@!$&()*+,;=-._~[]|^`{}\\")
    return f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")


class Page(HTMLParser):
    """Base, links and robots of a page."""

    def __init__(self, url):
        super().__init__(convert_charrefs=True)
        self.base, self.based, self.anchors, self.others, self.nofollow = url, False, [], [], False

    def handle_starttag(self, tag, attrs):
        a = {}
        for name, value in attrs:
            a.setdefault(name, value or "")
        if tag == "base" and "href" in a and not self.based:
            self.base, self.based = urljoin(self.base, a["href"].strip()), True
        elif tag in ("a", "area") and "href" in a:
            self.anchors.append(a["href"])
        elif tag in ("iframe", "frame") and "src" in a:
            self.others.append(a["src"])
        elif tag == "meta" and a.get("http-equiv", "").lower() == "refresh":
            m = re.search(r"url\s*=\s*['\"]?([^'\"]+)", a.get("content", ""), re.I)
            if m:
                self.others.append(m.group(1))
        elif tag == "meta" and a.get("name", "").lower() == "robots":
            words = [w.strip().lower() for w in a.get("content", "").split(",")]
            self.nofollow = self.nofollow or "nofollow" in words or "none" in words

    handle_startendtag = handle_starttag


def decode(body, content_type):
    if body.startswith(b"\xef\xbb\xbf"):
        return body[3:].decode("utf-8", "replace")
    m = re.search(r"charset=[\"']?([\w.:-]+)", content_type, re.I)
    if not m:
        m = re.search(r"<meta[^>]+charset=[\"']?([\w.:-]+)", body[:1024].decode("latin-1"), re.I)
    label = m.group(1).lower() if m else None
    if label in ("iso-8859-1", "latin1", "us-ascii", "ascii"):
        label = "cp1252"
    if label is None:
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            label = "cp1252"
    return body.decode(label, "replace")


def walk(seed):
    """URLs with status 200, edges of `a` links, hashes of bodies."""
    seed = canonical(seed, "")
    host = urlsplit(seed).netloc
    known, todo = {seed}, [seed]
    pages, edges, bodies = set(), set(), set()
    connection = http.client.HTTPConnection(host)
    while todo:
        url = todo.pop()
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            body = response.read()
        except (http.client.HTTPException, OSError):
            connection.close()
            connection = http.client.HTTPConnection(host)
            connection.request("GET", target)
            response = connection.getresponse()
            body = response.read()
        found = []
        kind = response.getheader("content-type", "")
        if response.status in (301, 302, 303, 307, 308):
            found.append(canonical(url, response.getheader("location", "")))
        if response.status == 200:
            pages.add(url)
            bodies.add(hashlib.sha256(body).hexdigest())
            if kind.startswith(("text/html", "application/xhtml+xml")):
                page = Page(url)
                page.feed(decode(body, kind))
                page.close()
                anchors = [canonical(page.base, h) for h in page.anchors]
                edges.update((url, dst) for dst in anchors if dst)
                if not page.nofollow:
                    found += anchors + [canonical(page.base, h) for h in page.others]
        for u in found:
            if u and urlsplit(u).netloc == host and u not in known:
                known.add(u)
                todo.append(u)
    return pages, edges, bodies


def archive(data):
    def table(name, columns):
        files = [str(f) for f in sorted(Path(data, name).glob("day=*/*.parquet"))]
        return ds.dataset(files, format="parquet").to_table(columns=columns).to_pydict()

    a = table("artefacts", ["url", "status", "body_sha256", "id"])
    ok = [i for i, s in enumerate(a["status"]) if s == 200]
    if len(a["id"]) != len(set(a["id"])):
        print("an id is in the archive twice")
        sys.exit(1)
    urls = [a["url"][i] for i in ok]
    if len(urls) != len(set(urls)):
        print("a URL is in the archive twice")
        sys.exit(1)
    links = table("links", ["src", "dst", "kind"])
    pages = set(urls)
    edges = {(s, d) for s, d, k in zip(links["src"], links["dst"], links["kind"]) if k == "a" and s in pages}
    return pages, edges, {a["body_sha256"][i] for i in ok}


def main():
    seed, data = sys.argv[1:3]
    differ = False
    for name, want, have in zip(("pages", "edges", "bodies"), walk(seed), archive(data)):
        missing, extra = want - have, have - want
        print(f"{name}: {len(want)} by the walk, {len(have)} in the archive, {len(missing)} missing, {len(extra)} extra")
        for what, some in (("missing", missing), ("extra", extra)):
            for one in sorted(some)[:5]:
                print(f"  {what}: {one}")
        differ = differ or bool(missing or extra)
    sys.exit(1 if differ else 0)


main()

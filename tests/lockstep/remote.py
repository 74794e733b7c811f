"""A gdb remote-protocol client, as small as lockstep needs: registers by the names of the target's own description, single steps,
memory. (Debugging with GDB, appendix E.)"""
import re
import socket
import time
import xml.etree.ElementTree as xml


class Remote:
    def __init__(self, address):
        deadline = time.monotonic() + 60
        while True:
            try:
                if isinstance(address, str):
                    self.socket = socket.socket(socket.AF_UNIX)
                else:
                    self.socket = socket.socket(socket.AF_INET)
                self.socket.connect(address)
                break
            except OSError:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        if not isinstance(address, str):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.acknowledge = b"", True
        self.ask("qSupported:qXfer:features:read+;vContSupported+")
        if self.ask("QStartNoAckMode") == "OK":
            self.acknowledge = False
        self.layout = self.describe()

    def send(self, text):
        data = text.encode("latin1")
        self.socket.sendall(b"$" + data + b"#%02x" % (sum(data) & 0xFF))

    def receive(self):
        while True:
            start = self.buffer.find(b"$")
            end = self.buffer.find(b"#", start + 1)
            if start >= 0 and end >= 0 and len(self.buffer) >= end + 3:
                body, self.buffer = self.buffer[start + 1:end], self.buffer[end + 3:]
                if self.acknowledge:
                    self.socket.sendall(b"+")
                return self.expand(body)
            got = self.socket.recv(65536)
            if not got:
                raise EOFError("the other side has gone")
            self.buffer += got

    @staticmethod
    def expand(body):
        body = re.sub(rb"}(.)", lambda m: bytes([m[1][0] ^ 0x20]), body, flags=re.S)
        return re.sub(rb"(.)\*(.)", lambda m: m[1] * (m[2][0] - 28), body, flags=re.S).decode("latin1")

    def ask(self, text):
        self.send(text)
        return self.receive()

    def document(self, name):
        out = ""
        while True:
            part = self.ask(f"qXfer:features:read:{name}:{len(out):x},800")
            out += part[1:]
            if part[0] == "l":
                return out

    def describe(self):
        """name → (offset, size) in the answer to 'g'."""
        rows, number = [], 0

        def visit(text):
            nonlocal number
            root = xml.fromstring(re.sub(r"<!DOCTYPE.*?>|xi:", "", text, flags=re.S))
            for element in root.iter():
                if element.tag == "include":
                    visit(self.document(element.get("href")))
                elif element.tag == "reg":
                    number = int(element.get("regnum", number))
                    rows.append((number, element.get("name"), int(element.get("bitsize")) // 8))
                    number += 1

        visit(self.document("target.xml"))
        layout, offset = {}, 0
        for at, name, size in sorted(rows):
            layout[name] = (offset, size, at)
            offset += size
        return layout

    def parse(self, answer, names):
        data = bytes.fromhex(answer.replace("x", "0"))
        return {n: int.from_bytes(data[self.layout[n][0]:self.layout[n][0] + self.layout[n][1]], "little") for n in names}

    def set(self, name, value):
        _, size, number = self.layout[name]
        return self.ask(f"P{number:x}={value.to_bytes(size, 'little').hex()}")

    def step(self):
        return self.ask("s")

    def memory(self, address, size):
        answer = self.ask(f"m{address:x},{size:x}")
        return b"" if answer.startswith("E") else bytes.fromhex(answer)

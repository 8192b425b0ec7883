# SPDX-License-Identifier: MIT
"""Texts of VERSION."""
from cases.common import *
from wire import version


def bad(path, *texts):
    for text in texts:
        client = Client(path, False)
        assert error(client.ask(version(text) if isinstance(text, str) else
                                message(wire.VERSION, bytes(4) + text))) == EINVAL, text
        assert client.closed(), text
        client.close()


def good(path, *texts):
    for text in texts:
        client = Client(path, False)
        reply = client.ask(version(text))
        assert not error(reply) and len(reply) <= len(version(text)), (text, reply)
        works(client)
        client.close()


def caps(members):
    return '{"capabilities":{' + members + "}}"


@case("2.1: no JSON at all")
def text_that_is_no_json(path):
    bad(path, "", "{", "{}}", "nul", "'", '{"a":1,}', "{} x", "{}{}", "\x01", "NaN")


@case("2.1: JSON, but no object")
def text_that_is_no_object(path):
    bad(path, "[]", "1", '"x"', "null", "true", '{"capabilities":[]}', '{"capabilities":1}')


@case("7.2: exactly one NUL, at the end")
def nul_in_the_text(path):
    bad(path, "{}\0", "{}\0{}", "\0", "\0{}", "{\0}")
    bad(path, b"{}", b"{", b'{"capabilities":{}}')


@case("7.2: valid UTF-8")
def text_that_is_no_utf8(path):
    for raw in b"\xff\xfe", b"\xc3", b"\x80":
        bad(path, b'{"a":"' + raw + b'"}\0')
    for raw in b"\xc0\x80", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80":  # json-c is lenient, and nobody looks
        client = Client(path, False)
        client.ask(message(wire.VERSION, bytes(4) + b'{"a":"' + raw + b'"}\0'))
        client.close()


@case("7.2: integers from 0 up")
def numbers_that_are_none(path):
    for value in "-1", "1.5", "1e3", "1e999", '"8"', "null", "true", "[]", "{}", "-0.0", "0x10", "+1":
        for key in "max_msg_fds", "max_data_xfer_size", "pgsizes", "max_dma_maps":
            bad(path, caps(f'"{key}":{value}'))


@case("7.2: huge values are cut down")
def huge_numbers(path):
    for key in "max_msg_fds", "max_data_xfer_size", "pgsizes", "max_dma_maps":
        good(path, caps(f'"{key}":4294967296'), caps(f'"{key}":99999999999999999999999'))


@case("7.2: a maximum of 0 makes loops endless")
def no_data_at_all(path):
    bad(path, caps('"max_data_xfer_size":0'))


@case("7.2: known keys of the wrong kind")
def other_keys_of_the_wrong_kind(path):
    bad(path, caps('"write_multiple":1'), caps('"migration":[]'))


@case("7.2: depth")
def nested_deeply(path):
    bad(path, '{"a":' * 20 + "1" + "}" * 20, "[" * 30000, '{"a":' * 9000, '{"x":' + "[" * 20 + "]" * 20 + "}")


@case("7.2: the same key again, keys that nobody knows")
def strange_but_allowed(path):
    good(path, caps('"max_msg_fds":1,"max_msg_fds":2,"other":[1,{"a":2}]'), '{"x":1,"x":[]}',
         caps('"max_msg_fds":0'), '{"%s":"\\u0000"}' % ("k" * 300))


@case("7.2: size")
def long_texts(path):
    good(path, '{"x":"' + "y" * 60000 + '"}', "{" + ",".join(f'"k{i}":{i}' for i in range(5000)) + "}",
         "{}" + " " * 60000)
    ends(path, version('{"x":"' + "y" * 66000 + '"}'), agree=False)


@case("2.1: the answer is never longer than the request")
def answers_to_short_texts(path):
    for pad in range(0, 120, 7):
        good(path, '{"capabilities":{"max_msg_fds":1}}' + " " * pad)
    good(path, "{}")
    client = Client(path, False)
    assert len(client.ask(message(wire.VERSION, bytes(4)))) == 20
    works(client)
    client.close()


@case("2.1: numbers of the version")
def other_versions(path):
    for major in 1, 2, 0xffff:
        client = Client(path, False)
        assert error(client.ask(message(wire.VERSION, struct.pack("<HH", major, 0)))) == EINVAL
        assert client.closed()
        client.close()
    client = Client(path, False)
    ok(client.ask(message(wire.VERSION, struct.pack("<HH", 0, 0xffff))))
    works(client)
    client.close()


@case("2.1: shorter than the numbers")
def version_cut_short(path):
    for length in range(4):
        bad_client = Client(path, False)
        assert error(bad_client.ask(message(wire.VERSION, bytes(length)))) == EINVAL
        assert bad_client.closed()
        bad_client.close()

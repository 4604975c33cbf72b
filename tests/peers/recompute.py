"""Compares what `bellhop dry-run` signs and encrypts with what other people's libraries make of the same.

recompute.py BELLHOP SEED [spoil]

Messages, secrets and times are random; the same seed gives the same ones. Prints, by channel, how many requests were
compared and how many differ, as JSON. With `spoil`, each request is changed by one character first: all of them have to differ.
"""

import base64
import collections
import datetime
import json
import random
import subprocess
import sys
import types
import urllib.parse

import dingtalkchatbot.chatbot
import http_ece
from alibabacloud_tea_openapi.utils import Utils
from bark_python.client import CBCStrategy, ECBStrategy
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lark_webhook_notify.client import gen_sign
from standardwebhooks import Webhook

BELLHOP, SEED, SPOIL = sys.argv[1], sys.argv[2], sys.argv[3:] == ["spoil"]

# Requests of each kind.
ROUNDS = 25

# Quotes, separators and signs that somebody has to encode; two bytes, three, four; marks that join their neighbours.
LETTERS = "abcXYZ019 \"'\\<>&+%/*~=?#$!(){}[],;:.-_éßя测试签名\u0301\u200d😀👨"

chance = random.Random(SEED)


def text(longest, more=""):
    return "".join(chance.choices(LETTERS + more, k=chance.randint(1, longest)))


def word(length, letters="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"):
    return "".join(chance.choices(letters, k=length))


def message():
    return {"title": text(40), "body": text(400, more="\n")}


def moment():
    """In whole milliseconds, as seconds."""
    return chance.randint(1_500_000_000_000, 2_500_000_000_000) / 1000


def sent(channel, registration, notification, now, **fixed):
    case = {"channel": channel, "registration": registration, "notification": notification, "now_unix": now, "fixed": fixed}
    run = subprocess.run([BELLHOP, "dry-run"], input=json.dumps(case), capture_output=True, text=True, check=True)
    output = json.loads(run.stdout)
    assert "requests" in output, (case, output)
    (request,) = output["requests"]
    return request


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def body_of(request):
    """The bytes that are sent."""
    return request["body"] if request["body_kind"] == "raw" else compact(request["body"])


def webhook():
    """https://github.com/standard-webhooks/standard-webhooks"""
    secrets = ["whsec_" + base64.b64encode(chance.randbytes(chance.randint(24, 64))).decode() for _ in range(chance.randint(1, 2))]
    registration = {"url": "https://hooks.example.com/in", "secret": " ".join(secrets)}
    request = sent("webhook", registration, message() | {"id": "msg_" + word(20)}, moment())
    headers = request["headers"]
    at = datetime.datetime.fromtimestamp(int(headers["webhook-timestamp"]), datetime.timezone.utc)
    signatures = [Webhook(secret).sign(headers["webhook-id"], at, body_of(request)) for secret in secrets]
    return headers["webhook-signature"], " ".join(signatures)


def aliyun_sms():
    """https://pypi.org/project/alibabacloud-tea-openapi/"""
    key, secret = "LTAI" + word(20), word(30)
    registration = {
        "access_key_id": key,
        "access_key_secret": secret,
        "sign_name": text(12).strip() or "签名",
        "template_code": "SMS_" + word(9, "0123456789"),
        "phone_numbers": ["1" + word(10, "0123456789") for _ in range(chance.randint(1, 3))],
    }
    request = sent("aliyun_sms", registration, {"params": {word(4): text(60) for _ in range(3)}}, moment(), nonce=word(32))
    url = urllib.parse.urlsplit(request["url"])
    headers = {name: value for name, value in request["headers"].items() if name != "authorization"}
    signed = types.SimpleNamespace(method=request["method"], pathname=url.path, query=request["query"], headers=headers)
    payload = Utils.hex_encode(Utils.hash(b"", "ACS3-HMAC-SHA256"))
    assert payload == headers["x-acs-content-sha256"]
    return request["headers"]["authorization"], Utils.get_authorization(signed, "ACS3-HMAC-SHA256", payload, key, secret)


def dingtalk():
    """https://pypi.org/project/DingtalkChatbot/"""
    secret, now = chance.choice(["SEC" + word(64, "0123456789abcdef"), text(40).strip() or "x"]), moment()
    request = sent("dingtalk", {"access_token": word(32), "secret": secret}, message(), now)
    robot = dingtalkchatbot.chatbot.DingtalkChatbot("https://oapi.dingtalk.com/robot/send?access_token=x", secret=secret)
    robot.start_time = now
    robot.update_webhook()
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(robot.webhook).query))
    return [request["query"][name] for name in ("sign", "timestamp")], [query["sign"], query["timestamp"]]


def feishu_bot():
    """https://pypi.org/project/lark-webhook-notify/"""
    secret, now = text(40).strip() or "x", moment()
    request = sent("feishu_bot", {"token": word(36), "secret": secret}, message(), now)
    return request["body"]["sign"], gen_sign(str(int(now)), secret)


def bark():
    """https://pypi.org/project/bark-python/ and, for the mode that it lacks, https://pypi.org/project/cryptography/"""
    mode, length = chance.choice(["CBC", "ECB", "GCM"]), chance.choice([16, 24, 32])
    key, now, notification = word(length), moment(), message()
    encryption = {"algorithm": f"AES{length * 8}", "mode": mode, "padding": "noPadding" if mode == "GCM" else "pkcs7", "key": key}
    registration = {"device_key": word(22)}
    plain = sent("bark", registration, notification, now)["body"]
    del plain["device_key"]
    vector = word(12 if mode == "GCM" else 16)
    request = sent("bark", registration | {"encryption": encryption}, notification, now, iv=vector)["body"]
    if mode == "GCM":
        encrypted = AESGCM(key.encode()).encrypt(vector.encode(), compact(plain).encode(), None)
    else:
        strategy = CBCStrategy() if mode == "CBC" else ECBStrategy()
        encrypted = strategy.encrypt(key, vector, compact(plain), {})
    return [request["ciphertext"], request.get("iv", vector)], [base64.b64encode(encrypted).decode(), vector]


def web_push():
    """https://pypi.org/project/http-ece/ and, for the statement, https://pypi.org/project/cryptography/"""
    browser, ephemeral = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    auth, salt, plain, now = chance.randbytes(16), chance.randbytes(16), text(900, more="\n"), moment()
    point = browser.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    origin = f"https://push{chance.randint(1, 9)}.example.com" + chance.choice(["", ":8443"])
    registration = {"endpoint": f"{origin}/{word(20)}", "p256dh": b64url(point), "auth": b64url(auth)}
    fixed = {"as_private": b64url(ephemeral.private_numbers().private_value.to_bytes(32, "big")), "salt": b64url(salt)}
    request = sent("web_push", registration, {"plaintext": plain}, now, **fixed)
    body = http_ece.encrypt(plain.encode(), salt=salt, private_key=ephemeral, dh=point, auth_secret=auth, version="aes128gcm")
    token, _, key = request["headers"]["authorization"].removeprefix("vapid t=").partition(", k=")
    signed, _, signature = token.rpartition(".")
    claims = {"aud": origin, "exp": int(now) + 12 * 3600, "sub": "mailto:nobody@example.com"}
    return [request["body_b64url"], json.dumps(verified(signed, signature, key))], [b64url(body), json.dumps(claims)]


def verified(signed, signature, key):
    """The claims that this key has signed; nothing if it has not."""
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64url(key))
    r, s = (int.from_bytes(half, "big") for half in (unb64url(signature)[:32], unb64url(signature)[32:]))
    try:
        point.verify(utils.encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return None
    return json.loads(unb64url(signed.partition(".")[2]))


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def spoilt(ours):
    return [spoilt(one) for one in ours] if isinstance(ours, list) else ours[:-1] + ("x" if ours[-1] != "x" else "y")


def main():
    counted = collections.defaultdict(lambda: {"compared": 0, "different": 0})
    for channel in (webhook, aliyun_sms, dingtalk, feishu_bot, bark, web_push):
        for _ in range(ROUNDS):
            ours, theirs = channel()
            differ = (spoilt(ours) if SPOIL else ours) != theirs
            counted[channel.__name__]["compared"] += 1
            counted[channel.__name__]["different"] += differ
            if differ and not SPOIL:
                print(f"{channel.__name__}: ours is {ours}, theirs {theirs}", file=sys.stderr)
    print(json.dumps(counted))


main()

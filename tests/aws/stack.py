"""What the test of the deployed stack asks of the emulator beside the API: run by the SAM CLI's own Python, which has boto3.

stack.py outputs STACK          prints the stack's outputs as JSON
stack.py refuse STACK ROLE      denies that role to send any message
stack.py relent STACK ROLE      takes that back
stack.py point STACK            tells functions where the emulator has the WebSocket API, whose name AWS alone resolves
stack.py cool STACK FUNCTION    ends what that function has warm
stack.py hurry STACK            lets every parked wake-up be due now
stack.py poison QUEUE           puts a message that nobody can read into a queue, whose messages come again after a second
stack.py consume STACK VALUE…   hands records with these values to the function `kafka`, as MSK does; prints what it answers
stack.py buried STACK           takes the next of the records that were refused; prints it
stack.py probe STACK            tries with each role what it may do and what it may not; prints what came of it as JSON
"""

import base64
import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

# Each with another, which is none of its business.
CHANNELS = [("webhook", "custom"), ("custom", "webhook"), ("aliyun_sms", "webhook"), ("mpush", "webhook")]

# Who is told by a connection that it keeps, and by its browser.
OF_CLIENTS = ["mpush"]
BROWSERS = ["mpush", "web_push"]


def outputs_of(stack):
    found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in found}


def made_of(stack, resource):
    found = boto3.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=resource)
    return found["StackResourceDetail"]["PhysicalResourceId"]


def point(stack):
    """As `AWS_ENDPOINT_URL` does for all other services."""
    functions, api = boto3.client("lambda"), outputs_of(stack)["SocketApiId"]
    there = f"{functions.meta.endpoint_url}/_aws/execute-api/{api}/live"
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            variables = function.get("Environment", {}).get("Variables", {})
            if variables.get("BELLHOP_SOCKETS"):
                environment = {"Variables": variables | {"BELLHOP_SOCKETS": there}}
                functions.update_function_configuration(FunctionName=function["FunctionName"], Environment=environment)


def cool(stack, function):
    functions, name = boto3.client("lambda"), made_of(stack, function)
    memory = functions.get_function_configuration(FunctionName=name)["MemorySize"]
    functions.update_function_configuration(FunctionName=name, MemorySize=memory + 1)


def outputs(stack):
    print(json.dumps(outputs_of(stack)))


def refuse(stack, role):
    denied = {"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    boto3.client("iam").put_role_policy(RoleName=made_of(stack, role), PolicyName="refusal", PolicyDocument=policy)


def relent(stack, role):
    boto3.client("iam").delete_role_policy(RoleName=made_of(stack, role), PolicyName="refusal")


def rows(table, pk):
    return table.query(KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": pk}, ConsistentRead=True)["Items"]


def hurry(stack):
    """As if the time had come: each parked wake-up moves into this minute, and its delivery is due."""
    table = boto3.resource("dynamodb").Table(outputs_of(stack)["Table"])
    now = int(time.time() * 1000)
    minute = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(now / 1000))
    moved = 0
    for later in rows(table, "due"):
        for shard in "0123456789abcdef":
            for parked in rows(table, f"due/{later['sk']}/{shard}"):
                letter = json.loads(parked["letter"])
                table.delete_item(Key={"pk": parked["pk"], "sk": parked["sk"]})
                table.put_item(Item={"pk": "due", "sk": minute, "at": now})
                sort = parked["sk"].split("/", 1)[1]
                table.put_item(Item=parked | {"pk": f"due/{minute}/{shard}", "sk": f"{now:015}/{sort}", "at": now})
                delivery = letter["delivery"]
                event = "evt_" + delivery.removeprefix("dlv_").rsplit("_", 1)[0]
                key = {"pk": f"delivery/{letter['account']}/{event}", "sk": delivery}
                row = table.get_item(Key=key, ConsistentRead=True)["Item"]
                body = json.loads(row["body"])
                body["due"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now / 1000))
                table.put_item(Item=row | {"body": json.dumps(body)})
                moved += 1
    print(moved)


def poison(queue):
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=url, MessageBody="this is no wake-up", MessageGroupId="main")


def consume(stack, *values):
    """<https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html#msk-sample-event>"""
    topic, when = "task.push.info", {"timestamp": int(time.time() * 1000), "timestampType": "CREATE_TIME"}
    records = [
        {"topic": topic, "partition": 0, "offset": offset, **when, "value": base64.b64encode(value.encode()).decode(), "headers": []}
        for offset, value in enumerate(values)
    ]
    event = {
        "eventSource": "aws:kafka",
        "eventSourceArn": "arn:aws:kafka:us-east-1:000000000000:cluster/probe/0",
        "bootstrapServers": "b-1.probe.kafka.us-east-1.amazonaws.com:9098",
        "records": {f"{topic}-0": records},
    }
    invoked = boto3.client("lambda").invoke(FunctionName=made_of(stack, "Kafka"), Payload=json.dumps(event))
    print(invoked["Payload"].read().decode())


def buried(stack):
    sqs = boto3.client("sqs")
    [letter] = sqs.receive_message(QueueUrl=made_of(stack, "KafkaDeadLetters"), WaitTimeSeconds=20)["Messages"]
    sqs.delete_message(QueueUrl=made_of(stack, "KafkaDeadLetters"), ReceiptHandle=letter["ReceiptHandle"])
    print(letter["Body"])


class Role:
    """Acts under a role of the stack, which only functions can assume until the test may, too."""

    def __init__(self, stack, name):
        role, iam = made_of(stack, name), boto3.client("iam")
        found = iam.get_role(RoleName=role)["Role"]
        trust = found["AssumeRolePolicyDocument"]
        account = found["Arn"].split(":")[4]
        trust["Statement"].append(
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}}
        )
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        given = boto3.client("sts").assume_role(RoleArn=found["Arn"], RoleSessionName="probe")["Credentials"]
        self.name = name
        self.session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        self.known = outputs_of(stack)

    def call(self, service, operation, **arguments):
        getattr(self.session.client(service), operation)(**arguments)

    def get(self, pk, sk="x"):
        self.call("dynamodb", "get_item", TableName=self.known["Table"], Key={"pk": {"S": pk}, "sk": {"S": sk}})

    def put(self, pk):
        self.call("dynamodb", "put_item", TableName=self.known["Table"], Item={"pk": {"S": pk}, "sk": {"S": "probe"}})

    def delete(self, pk):
        self.call("dynamodb", "delete_item", TableName=self.known["Table"], Key={"pk": {"S": pk}, "sk": {"S": "probe"}})

    def scan(self):
        self.call("dynamodb", "scan", TableName=self.known["Table"])

    def both(self, first, second):
        keys = [{"pk": {"S": pk}, "sk": {"S": "x"}} for pk in (first, second)]
        self.call("dynamodb", "batch_get_item", RequestItems={self.known["Table"]: {"Keys": keys}})

    def send(self, queue):
        url = boto3.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        self.call("sqs", "send_message", QueueUrl=url, MessageBody="probe", DelaySeconds=900)

    def receive(self, queue):
        url = boto3.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
        self.call("sqs", "receive_message", QueueUrl=url, VisibilityTimeout=0, MaxNumberOfMessages=1)

    def unwrap(self, channel):
        table = boto3.resource("dynamodb").Table(self.known["Table"])
        wrapped = table.get_item(Key={"pk": f"secret/{channel}", "sk": "key"})["Item"]["wrapped"].value
        self.call("kms", "decrypt", KeyId=self.known["Seal"], CiphertextBlob=wrapped, EncryptionContext={"channel": channel})

    def push(self):
        """To one that is gone, which only those are told who may push."""
        endpoint = f"{boto3.client('lambda').meta.endpoint_url}/_aws/execute-api/{self.known['SocketApiId']}/live"
        try:
            client = self.session.client("apigatewaymanagementapi", endpoint_url=endpoint)
            client.post_to_connection(ConnectionId="probe", Data=b"probe")
        except ClientError as error:
            if error.response["Error"]["Code"] != "GoneException":
                raise

    def make_key(self, channel="x"):
        context = {"channel": channel}
        self.call("kms", "generate_data_key", KeyId=self.known["Seal"], KeySpec="AES_256", EncryptionContext=context)

    def put_object(self):
        self.call("s3", "put_object", Bucket=self.known["Bucket"], Key="attachments/main/probe", Body=b"")

    def delete_object(self):
        self.call("s3", "delete_object", Bucket=self.known["Bucket"], Key="attachments/main/probe")

    def list_objects(self):
        self.call("s3", "list_objects_v2", Bucket=self.known["Bucket"])

    def get_object(self):
        self.call("s3", "get_object", Bucket=self.known["Bucket"], Key="attachments/main/probe")


def probes(stack):
    """(role, what it tries, whether it may)"""
    roles = ("Ingest", "Manage", "Batch", "Socket", "Kafka")
    ingest, manage, batch, socket, kafka = everybody = [Role(stack, f"{name}Role") for name in roles]

    yield ingest, "read a registration", True, lambda: ingest.get("registration/main")
    yield ingest, "keep an event", True, lambda: ingest.put("event/main/2026-01-01/0")
    yield ingest, "keep a long plan and a long text", True, lambda: (ingest.put("plan/main/evt_0"), ingest.put("text/main/evt_0"))
    yield ingest, "read them again", True, lambda: ingest.both("plan/main/evt_0", "text/main/evt_0")
    yield ingest, "collect for a digest", True, lambda: ingest.put("entries/main/daily")
    yield ingest, "read when a digest is due", False, lambda: ingest.get("schedule/main/daily")
    yield ingest, "read a task", False, lambda: ingest.get("task/main")
    yield ingest, "keep a picture", True, ingest.put_object
    yield ingest, "queue a delivery", True, lambda: ingest.send(f"{stack}_q_webhook")
    yield ingest, "remember that a key was used", True, lambda: ingest.put("use/main")
    yield ingest, "read a secret", False, lambda: ingest.get("secret/webhook/main")
    yield ingest, "read a secret along with a registration", False, lambda: ingest.both("registration/main", "secret/webhook/main")
    yield ingest, "read former parameters", False, lambda: ingest.get("former/main/desk")
    yield ingest, "unwrap a channel's key", False, lambda: ingest.unwrap("webhook")
    yield ingest, "write a registration", False, lambda: ingest.put("registration/main")
    yield ingest, "find a hook by its token", True, lambda: ingest.get("hook/0")
    yield ingest, "list an account's hooks", False, lambda: ingest.get("hooks/main")
    yield ingest, "write a hook", False, lambda: ingest.put("hook/probe")
    yield ingest, "tell the key of Web Push", True, lambda: ingest.get("vapid")
    yield ingest, "read what seals it", False, lambda: ingest.get("secret/web_push", "key")
    yield ingest, "make the key of Web Push", False, lambda: ingest.put("vapid")
    yield ingest, "know an account by its Mpush token", True, lambda: ingest.get("mpush/0")
    yield ingest, "give an Mpush token to an account", False, lambda: ingest.put("mpush/0")
    yield ingest, "take what is acknowledged out of a line", True, lambda: (ingest.put("line/main/a"), ingest.delete("line/main/a"))
    yield ingest, "see who is connected", False, lambda: ingest.get("client/main/a")
    yield ingest, "write an API key", False, lambda: ingest.put("key/probe")
    yield ingest, "record what is acknowledged", True, lambda: ingest.put("delivery/main/evt_0")
    yield ingest, "receive from a queue", False, lambda: ingest.receive(f"{stack}_q_webhook")
    yield ingest, "read a picture", False, ingest.get_object
    yield ingest, "forget a picture", True, ingest.delete_object
    yield ingest, "send to the dead letters", False, lambda: ingest.send(f"{stack}_dead_webhook")

    yield manage, "read a secret", True, lambda: manage.get("secret/webhook/main")
    yield manage, "read a long plan and a long text", True, lambda: manage.both("plan/main/evt_0", "text/main/evt_0")
    yield manage, "write a registration", True, lambda: manage.put("registration/probe")
    yield manage, "make a hook", True, lambda: (manage.put("hook/probe"), manage.put("hooks/probe"))
    yield manage, "make a channel's key", True, manage.make_key
    yield manage, "move a schedule", True, lambda: (manage.put("schedule/main/daily"), manage.put("composing"))
    yield manage, "make a task", True, lambda: (manage.put("task/main"), manage.put("open/main"), manage.put("made/main/probe"))
    yield manage, "see how many failures there were", True, lambda: manage.get("counter/main")
    yield manage, "count a failure", False, lambda: manage.put("counter/main")
    yield manage, "freeze a digest", False, lambda: manage.put("frozen/main/daily")
    yield manage, "share a provider's token with its sender", True, lambda: manage.put("token/webhook/main")
    yield manage, "make the key of Web Push", True, lambda: manage.put("vapid")
    yield manage, "list accounts", True, lambda: manage.get("accounts")
    yield manage, "keep former parameters", True, lambda: (manage.put("former/main/probe"), manage.delete("former/main/probe"))
    yield manage, "keep an entry of the audit", True, lambda: manage.put("audit/probe")
    yield manage, "delete an entry of the audit", False, lambda: manage.delete("audit/probe")
    yield manage, "redrive", True, lambda: manage.receive(f"{stack}_dead_webhook")
    yield manage, "keep an event", False, lambda: manage.put("event/main/2026-01-01/0")
    yield manage, "receive from a live queue", False, lambda: manage.receive(f"{stack}_q_webhook")

    yield batch, "read what is due", True, lambda: batch.call(
        "dynamodb", "query", TableName=batch.known["Table"],
        KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "due"}},
    )
    yield batch, "queue a delivery", True, lambda: batch.send(f"{stack}_q_webhook")
    yield batch, "read a secret", False, lambda: batch.get("secret/webhook/main")
    yield batch, "freeze a digest", True, lambda: batch.put("frozen/main/daily")
    yield batch, "move a schedule", True, lambda: (batch.put("schedule/main/daily"), batch.put("composing/2026-01-01T00:00/0"))
    yield batch, "begin a run", True, lambda: (batch.put("task/main"), batch.put("run/main/tsk_0"), batch.delete("open/main"))
    yield batch, "say which request made a task", False, lambda: batch.put("made/main/probe")
    yield batch, "send a digest", True, lambda: batch.put("event/main/2026-01-01/0")
    yield batch, "change what was collected", False, lambda: batch.put("entries/main/daily")
    yield batch, "see which sources are switched off", True, lambda: batch.get("source/main")
    yield batch, "change a rule", False, lambda: batch.put("rule/main")
    yield batch, "record a delivery", False, lambda: batch.put("delivery/main/evt_0")
    yield batch, "unwrap a channel's key", False, lambda: batch.unwrap("webhook")

    yield socket, "know an account by its Mpush token", True, lambda: socket.get("mpush/0")
    yield socket, "give an Mpush token to an account", False, lambda: socket.put("mpush/0")
    yield socket, "register a client", True, lambda: (socket.put("registration/probe"), socket.put("secret/mpush/probe"))
    yield socket, "know who is connected", True, lambda: (socket.put("client/main/a"), socket.put("connection/a"))
    yield socket, "look at a line", True, lambda: (socket.put("line/main/a"), socket.delete("line/main/a"))
    yield socket, "keep an event", True, lambda: socket.put("event/main/2026-01-01/0")
    yield socket, "keep the key of Web Push", True, lambda: (socket.get("vapid"), socket.get("secret/web_push", "key"))
    yield socket, "seal it", True, lambda: socket.make_key("web_push")
    yield socket, "make another channel's key", False, lambda: socket.make_key("webhook")
    yield socket, "read another channel's secrets", False, lambda: socket.get("secret/webhook/main")
    yield socket, "unwrap another channel's key", False, lambda: socket.unwrap("webhook")
    yield socket, "read former parameters", False, lambda: socket.get("former/main/desk")
    yield socket, "read an API key", False, lambda: socket.get("key/probe")
    yield socket, "receive from a queue", False, lambda: socket.receive(f"{stack}_q_mpush")
    yield socket, "push to a connection", True, lambda: socket.push()

    yield kafka, "read who is to hear", True, lambda: kafka.both("registration/main", "contact/main")
    yield kafka, "keep an event", True, lambda: kafka.put("event/main/2026-01-01/0")
    yield kafka, "remember which record made it", True, lambda: kafka.put("idempotency/main/probe")
    yield kafka, "make a task", True, lambda: (kafka.put("task/main"), kafka.put("open/main"), kafka.put("made/main/probe"))
    yield kafka, "delete a task", False, lambda: kafka.delete("task/main")
    yield kafka, "begin a run", False, lambda: kafka.put("run/main/tsk_0")
    yield kafka, "queue a delivery", True, lambda: kafka.send(f"{stack}_q_webhook")
    yield kafka, "bury a record", True, lambda: kafka.send(f"{stack}_dead_kafka")
    yield kafka, "bury a message", False, lambda: kafka.send(f"{stack}_dead_webhook")
    yield kafka, "read a secret", False, lambda: kafka.get("secret/webhook/main")
    yield kafka, "read an API key", False, lambda: kafka.get("key/probe")
    yield kafka, "write a registration", False, lambda: kafka.put("registration/main")
    yield kafka, "receive from a queue", False, lambda: kafka.receive(f"{stack}_q_webhook")

    for own, other in CHANNELS:
        sender = Role(stack, f"SenderRole{own.replace('_', '')}")
        everybody.append(sender)
        yield sender, "read its own secrets", True, lambda: sender.both("registration/main", f"secret/{own}/main")
        yield sender, "read an event", True, lambda: sender.both("event/main/2026-01-01/0", "event/main/2026-01-01/1")
        yield sender, "read its long plan and text", True, lambda: sender.both("plan/main/evt_0", "text/main/evt_0")
        yield sender, "unwrap its own key", True, lambda: sender.unwrap(own)
        yield sender, "record a delivery", True, lambda: sender.put("delivery/main/evt_0")
        yield sender, "say that an address is dead", True, lambda: sender.put("standing/probe")
        yield sender, "receive from its own queue", True, lambda: sender.receive(f"{stack}_q_{own}")
        yield sender, "bury in its own dead letters", True, lambda: sender.send(f"{stack}_dead_{own}")
        yield sender, "read another channel's secrets", False, lambda: sender.get(f"secret/{other}/main")
        yield sender, "unwrap another channel's key", False, lambda: sender.unwrap(other)
        yield sender, "receive from another channel's queue", False, lambda: sender.receive(f"{stack}_q_{other}")
        yield sender, "send to another channel's queue", False, lambda: sender.send(f"{stack}_q_{other}")
        yield sender, "bury in another channel's dead letters", False, lambda: sender.send(f"{stack}_dead_{other}")
        yield sender, "see that a picture has expired", True, sender.list_objects
        yield sender, "make the key of Web Push", own in BROWSERS, lambda: sender.put("vapid")
        yield sender, "see who is connected", own in OF_CLIENTS, lambda: sender.get("client/main/a")
        yield sender, "push to a connection", own in OF_CLIENTS, lambda: sender.push()
        yield sender, "write a registration", False, lambda: sender.put("registration/main")
        yield sender, "write a secret", False, lambda: sender.put(f"secret/{own}/main")
        yield sender, "read former parameters", False, lambda: sender.get("former/main/desk")
        yield sender, "keep an entry of the audit", False, lambda: sender.put("audit/probe")
        yield sender, "read an API key", False, lambda: sender.get("key/probe")
        yield sender, "read a hook", False, lambda: sender.get("hook/probe")
        yield sender, "keep an event", False, lambda: sender.put("event/main/2026-01-01/0")

    for role in everybody:
        yield role, "scan", False, role.scan


def probe(stack):
    found = []
    for role, what, may, attempt in probes(stack):
        try:
            attempt()
            came = "done"
        except ClientError as error:
            came = error.response["Error"]["Code"]
        found.append({"role": role.name, "what": what, "may": may, "came": came})
    print(json.dumps(found))


COMMANDS = {f.__name__: f for f in (outputs, point, cool, refuse, relent, hurry, poison, consume, buried, probe)}
COMMANDS[sys.argv[1]](*sys.argv[2:])

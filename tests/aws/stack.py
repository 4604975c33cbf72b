"""What the test of the deployed stack asks of the emulator beside the API: run by the SAM CLI's own Python, which has boto3.

stack.py outputs STACK        prints the stack's outputs as JSON
stack.py grant STACK          allows SQS's batch calls: the emulator asks for actions of their own, which AWS does not know
stack.py poison QUEUE         puts a message that nobody can read into a queue, whose messages come again after a second
"""

import json
import sys

import boto3


def outputs(stack):
    found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    print(json.dumps({output["OutputKey"]: output["OutputValue"] for output in found}))


def grant(stack):
    iam = boto3.client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        if not name.startswith(f"{stack}-"):
            continue
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            statements = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
            sending = [it | {"Action": ["sqs:SendMessageBatch"]} for it in statements if "sqs:SendMessage" in it["Action"]]
            deleting = [it | {"Action": ["sqs:DeleteMessageBatch"]} for it in statements if "sqs:DeleteMessage" in it["Action"]]
            if sending + deleting:
                document = {"Version": "2012-10-17", "Statement": sending + deleting}
                iam.put_role_policy(RoleName=name, PolicyName="batches", PolicyDocument=json.dumps(document))


def poison(queue):
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=url, MessageBody="this is no wake-up", MessageGroupId="main")


{"outputs": outputs, "grant": grant, "poison": poison}[sys.argv[1]](*sys.argv[2:])

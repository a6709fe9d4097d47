"""Stock boto3 and machines: paginators, waiters, resources, ClientToken, commands, errors by class, and the two-way check with runctl.

Started by run.mjs. Not a copy of the AWS CLI's session: what only a library does is here.
"""

import concurrent.futures
import json
import os
import time
import urllib.error
import urllib.request

import boto3
from boto3_checks import ENDPOINT, check, client, equal, finish, refused, runctl
from botocore.exceptions import WaiterError

PROFILE = "runctl-ssm-profile"
AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
FAST = {"Delay": 1, "MaxAttempts": 60}

ec2, ssm, iam, sts = (client(name) for name in ("ec2", "ssm", "iam", "sts"))


def on_machine(instance_id, *lines, **parameters):
    sent = ssm.send_command(InstanceIds=[instance_id], DocumentName="AWS-RunShellScript", Parameters={"commands": list(lines), **parameters})
    where = {"CommandId": sent["Command"]["CommandId"], "InstanceId": instance_id}
    try:
        ssm.get_waiter("command_executed").wait(**where, WaiterConfig=FAST)
    except WaiterError as error:
        if not error.last_response.get("Status"):
            raise
    return ssm.get_command_invocation(**where)


# ---- who is asking


@check("R200 sts get_caller_identity; the account is that of the ARN")
def _():
    me = sts.get_caller_identity()
    equal(me["Arn"].split(":")[4], me["Account"])


@check("R208 a wrong secret is refused, also in a presigned URL and in a streamed upload")
def _():
    wrong = {"aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": "not-the-secret"}
    refused("SignatureDoesNotMatch", client("sts", **wrong).get_caller_identity)
    refused("AuthFailure", client("ec2", **wrong).describe_instances)
    refused("InvalidSignatureException", client("ssm", **wrong).list_commands)
    forger = client("s3", **wrong)
    refused("SignatureDoesNotMatch", forger.put_object, Bucket="any-bucket", Key="k", Body=b"x")
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(forger.generate_presigned_url("get_object", Params={"Bucket": "any-bucket", "Key": "k"}))
        raise AssertionError("the forged URL was accepted")
    except urllib.error.HTTPError as error:
        equal(error.code, 403)


@check("R200 unknown operations and services: an error that botocore can parse, never HTML")
def _():
    assert "DescribeCarrierGateways" in str(refused("InvalidAction", ec2.describe_carrier_gateways))
    assert "ListOpsMetadata" in str(refused("UnknownOperationException", ssm.list_ops_metadata))
    assert "ListSAMLProviders" in str(refused("InvalidAction", iam.list_saml_providers))
    refused("UnknownOperationException", client("dynamodb").list_tables)
    refused("InvalidAction", client("sns").list_topics)


# ---- what there is to choose from

image_id = ""


@check("R200 ssm get_parameter and get_parameters_by_path through its paginator; ec2 describe_images")
def _():
    global image_id
    image_id = ssm.get_parameter(Name=AL2023)["Parameter"]["Value"]
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/aws/service/ami-amazon-linux-latest", PaginationConfig={"PageSize": 2})
    values = {parameter["Name"]: parameter["Value"] for page in pages for parameter in page["Parameters"]}
    equal(values[AL2023], image_id)
    image = ec2.describe_images(ImageIds=[image_id])["Images"][0]
    equal(image["State"], "available")
    assert ec2.get_waiter("image_available").wait(ImageIds=[image_id], WaiterConfig=FAST) is None


@check("R200 ec2 describe_instance_types through its paginator gives each type once")
def _():
    pages = list(ec2.get_paginator("describe_instance_types").paginate(PaginationConfig={"PageSize": 10}))
    names = [kind["InstanceType"] for page in pages for kind in page["InstanceTypes"]]
    assert len(pages) > 1 and len(names) == len(set(names)) and "t3.micro" in names


@check("R200 iam, pricing and service-quotas through their paginators")
def _():
    profiles = [profile["InstanceProfileName"] for page in iam.get_paginator("list_instance_profiles").paginate() for profile in page["InstanceProfiles"]]
    assert PROFILE in profiles, profiles
    pricing = client("pricing", region_name="us-east-1")
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in {"instanceType": "g5.xlarge", "regionCode": "us-east-1", "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}.items()]
    products = [json.loads(text) for page in pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters) for text in page["PriceList"]]
    equal([product["product"]["attributes"]["instanceType"] for product in products], ["g5.xlarge"])
    equal(client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-DB2E81BA")["Quota"]["QuotaCode"], "L-DB2E81BA")


# ---- machines

box = None


@check("R200 ec2 resource: create_instances, wait_until_running, reload, tags")
def _():
    global box
    resource = boto3.resource("ec2", **ENDPOINT)
    (box,) = resource.create_instances(
        ImageId=image_id, InstanceType="t3.micro", MinCount=1, MaxCount=1, IamInstanceProfile={"Name": PROFILE},
        UserData="#!/bin/sh\necho first boot >> /home/ec2-user/booted\n",
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "boto3 <&> ünï"}]}],
    )
    box.wait_until_running(WaiterConfig=FAST)
    box.reload()
    equal(box.state["Name"], "running")
    equal(box.tags, [{"Key": "Name", "Value": "boto3 <&> ünï"}])
    assert box.launch_time.year >= 2024 and box.private_ip_address.startswith("172.31.")
    equal([volume.state for volume in box.volumes.all()], ["in-use"])
    assert [found.id for found in resource.instances.filter(Filters=[{"Name": "tag:Name", "Values": ["boto3*"]}])] == [box.id]


@check("R200 ClientToken: ten calls at once make one instance; another request under it is refused")
def _():
    def launch(kind="t3.nano"):
        return ec2.run_instances(ImageId=image_id, InstanceType=kind, MinCount=1, MaxCount=1, ClientToken="boto3-token")["Instances"][0]["InstanceId"]

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(lambda _: launch(), range(10)))
    equal(len(ids), 1)
    refused("IdempotentParameterMismatch", launch, kind="t3.small")
    ec2.terminate_instances(InstanceIds=list(ids))


@check("R200 ec2 describe_instances through its paginator: every instance once")
def _():
    made = [row["InstanceId"] for row in ec2.run_instances(ImageId=image_id, InstanceType="t3.nano", MinCount=3, MaxCount=3)["Instances"]]
    pages = ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5}, Filters=[{"Name": "instance-type", "Values": ["t3.nano"]}, {"Name": "instance-state-name", "Values": ["pending", "running"]}])
    seen = [row["InstanceId"] for page in pages for reservation in page["Reservations"] for row in reservation["Instances"]]
    equal(sorted(seen), sorted(made))
    ec2.terminate_instances(InstanceIds=made)
    ec2.get_waiter("instance_terminated").wait(InstanceIds=made, WaiterConfig=FAST)


@check("R203 ssm: multi-line script, working directory, both outputs, user data ran once")
def _():
    answer = on_machine(box.id, "set -e", "pwd", "for i in 1 2 3; do", '  echo "line $i"', "done", "echo to-stderr >&2", workingDirectory=["/home/ec2-user"])
    equal((answer["Status"], answer["ResponseCode"], answer["StandardErrorContent"]), ("Success", 0, "to-stderr\n"))
    equal(answer["StandardOutputContent"], "/home/ec2-user\nline 1\nline 2\nline 3\n")
    equal(on_machine(box.id, "cat booted", workingDirectory=["/home/ec2-user"])["StandardOutputContent"], "first boot\n")


@check("R203 ssm: output is cut at 24,000 characters; an overlong script is killed at executionTimeout")
def _():
    answer = on_machine(box.id, "yes 0123456789 | head -n 5000")
    assert 24000 <= len(answer["StandardOutputContent"]) <= 24100, len(answer["StandardOutputContent"])
    answer = on_machine(box.id, "sleep 60", executionTimeout=["5"])
    equal((answer["Status"], answer["StatusDetails"]), ("TimedOut", "ExecutionTimedOut"))


@check("R203 ssm cancel_command ends a running script")
def _():
    sent = ssm.send_command(InstanceIds=[box.id], DocumentName="AWS-RunShellScript", Parameters={"commands": ["sleep 100"]})["Command"]["CommandId"]
    ssm.cancel_command(CommandId=sent)
    for _attempt in range(100):
        status = ssm.get_command_invocation(CommandId=sent, InstanceId=box.id)["Status"]
        if status == "Cancelled":
            return
        time.sleep(0.1)
    raise AssertionError(f"still {status} after 10 s")


@check("R203 ssm errors by exception class")
def _():
    for expected, call in {
        ssm.exceptions.InvalidInstanceId: lambda: ssm.send_command(InstanceIds=["i-0123456789abcdef0"], DocumentName="AWS-RunShellScript", Parameters={"commands": ["true"]}),
        ssm.exceptions.InvalidDocument: lambda: ssm.send_command(InstanceIds=[box.id], DocumentName="No-Such", Parameters={"commands": ["true"]}),
        ssm.exceptions.InvocationDoesNotExist: lambda: ssm.get_command_invocation(CommandId="00000000-0000-0000-0000-000000000000", InstanceId=box.id),
        ssm.exceptions.ParameterNotFound: lambda: ssm.get_parameter(Name="/none/such"),
    }.items():
        try:
            call()
            raise AssertionError(f"accepted; expected {expected.__name__}")
        except expected:
            pass


@check("R200 ec2 stop, waiter instance_stopped, start, waiter instance_running; wrong ids are refused")
def _():
    equal(ec2.stop_instances(InstanceIds=[box.id])["StoppingInstances"][0]["PreviousState"]["Name"], "running")
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[box.id], WaiterConfig=FAST)
    equal(ssm.describe_instance_information(Filters=[{"Key": "PingStatus", "Values": ["Online"]}])["InstanceInformationList"], [])
    ec2.start_instances(InstanceIds=[box.id])
    ec2.get_waiter("instance_running").wait(InstanceIds=[box.id], WaiterConfig=FAST)
    equal(on_machine(box.id, "cat /home/ec2-user/booted")["StandardOutputContent"], "first boot\n")
    refused("InvalidInstanceID.NotFound", ec2.stop_instances, InstanceIds=["i-0123456789abcdef0"])
    refused("InvalidInstanceID.Malformed", ec2.stop_instances, InstanceIds=["i-xyz"])


# ---- the same world from the other side


@check("R201 a machine of boto3 is seen by runctl; its end is seen by both")
def _():
    status = json.loads(runctl("aws", "status", box.id, "--output", "json"))
    equal((status["state"], status["instanceType"]), ("running", "t3.micro"))
    box.terminate()
    box.wait_until_terminated(WaiterConfig=FAST)
    equal(runctl("aws", "status", box.id, "--output", "state"), "terminated")


@check("R201 boto3 sees, drives and ends a machine that runctl made")
def _():
    made = runctl("aws", "create", "t3.micro", "--iam-instance-profile", PROFILE, "--wait", "--yes", "--output", "instance-id")
    equal(on_machine(made, "id -un > /tmp/me && echo driven")["StandardOutputContent"], "driven\n")
    row = ec2.describe_instances(Filters=[{"Name": "tag-key", "Values": ["runctl:run"]}])["Reservations"][0]["Instances"][0]
    equal(row["InstanceId"], made)
    volume = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [made]}])["Volumes"][0]
    equal((volume["Encrypted"], volume["VolumeType"]), (True, "gp3"))
    groups = ec2.describe_security_groups(GroupIds=[group["GroupId"] for group in row["SecurityGroups"]])["SecurityGroups"]
    equal([group["IpPermissions"] for group in groups], [[]])
    ec2.terminate_instances(InstanceIds=[made])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[made], WaiterConfig=FAST)


finish()

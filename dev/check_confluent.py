"""Drives `tidegate serve` (argument 1: its program) as the confluent CLI and Terraform do, and with both if they are there."""

import base64
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

PROGRAM = os.path.abspath(sys.argv[1])
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
# Nothing of the machine's own configuration may leak in.
CLEAN = {name: value for name, value in os.environ.items() if not re.match("AWS_|TIDEGATE_|CONFLUENT_|TF_", name)}
CUSTOMER_ROLE = "arn:aws:iam::111111111111:role/not-there-yet"

passed, failed, skipped = 0, [], []


def check(name, test):
    global passed
    try:
        test()
        passed += 1
        print(f"ok      {name}")
    except Exception as error:  # every failure is reported, then the next check runs
        failed.append(name)
        print(f"FAILED  {name}: {type(error).__name__}: {error}")


class Program:
    """A program of ours in the background, and what it says."""

    def __init__(self, *arguments, **environment):
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], env={**CLEAN, **environment}, text=True, bufsize=1,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines, self.more = [], threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.more:
                self.lines.append(line)
                self.more.notify_all()
        with self.more:
            self.lines.append(None)
            self.more.notify_all()

    def until(self, pattern):
        """The first match in what it says."""
        def find():
            return next((m for line in self.lines if line for m in [re.search(pattern, line)] if m), None)

        with self.more:
            self.more.wait_for(lambda: find() or None in self.lines, timeout=60)
            found = find()
        if not found:
            raise RuntimeError(f"{pattern} was not said: {''.join(line or '' for line in self.lines)}")
        return found.group(1)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class Service:
    """What is served, and who asks it."""

    def __init__(self, url):
        self.url = url
        self.address = urllib.parse.urlsplit(url).netloc

    def ask(self, method, path, body=None, authorization=None):
        """Sends one request as it is; the status and the JSON of the answer."""
        connection = http.client.HTTPConnection(self.address, timeout=100)
        headers = {"Authorization": authorization} if authorization else {}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = body if isinstance(body, str) else json.dumps(body)
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def log_in(self):
        status, login = self.ask("POST", "/api/sessions", {"email": EMAIL, "password": PASSWORD})
        assert status == 200, login
        self.bearer = "Bearer " + login["token"]
        status, me = self.ask("GET", "/api/me", authorization=self.bearer)
        assert status == 200, me
        self.user, self.environment = me["user"]["resource_id"], me["accounts"][0]["id"]
        status, found = self.ask("GET", f"/api/cmk/v2/clusters?environment={self.environment}", authorization=self.bearer)
        assert status == 200, found
        self.cluster = found["data"][0]["id"]
        key = {"spec": {"owner": {"id": self.user}, "description": "terraform"}}
        status, made = self.ask("POST", "/api/iam/v2/api-keys", key, self.bearer)
        assert status == 202, made
        self.key, self.secret = made["id"], made["spec"]["secret"]
        self.basic = "Basic " + base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()


def eventually(what, test, patience=60):
    end = time.monotonic() + patience
    while True:
        found = test()
        if found:
            return found
        assert time.monotonic() < end, f"never {what}"
        time.sleep(0.1)


def replay(service, config):
    """The requests that both clients were seen to send, in their order."""
    cluster = f"/connect/v1/environments/{service.environment}/clusters/{service.cluster}"

    def cli(method, path, body=None):
        return service.ask(method, "/api" + path, body, service.bearer)

    def terraform(method, path, body=None):
        return service.ask(method, path, body, service.basic)

    def expect(answer, status):
        assert answer[0] == status, answer
        return answer[1]

    def login():
        realm = "/api/login/realm?XXX_sizecache=0&client_id=oX2nvSKl5jvBKVgwehZfvR4K8RhsZIEs&email=" + EMAIL
        for _ in range(2):
            assert expect(service.ask("GET", realm), 200) == {"realm": "", "is_sso": False, "mfa_required": False}
        expect(cli("GET", "/growth/v1/free-trial-info", '{"orgId":1}'), 200)
        expect(service.ask("POST", "/api/sessions", {"email": EMAIL, "password": "wrong"}), 403)
        listed = expect(cli("GET", "/org/v2/environments?page_size=100"), 200)
        assert listed["data"][0]["id"] == service.environment and "next" not in listed["metadata"], listed

    def integrations():
        body = {
            "config": {"kind": "AwsIntegrationConfig", "customer_iam_role_arn": CUSTOMER_ROLE}, "display_name": "lake",
            "environment": {"id": service.environment, "related": "", "resource_name": ""}, "provider": "aws"}
        made = expect(terraform("POST", "/pim/v1/integrations", body), 201)
        at = f"/pim/v1/integrations/{made['id']}?environment={service.environment}"
        assert expect(cli("GET", at), 200)["config"] == made["config"]
        assert "already" in expect(cli("POST", "/pim/v1/integrations", body), 409)["errors"][0]["detail"]
        expect(cli("DELETE", at), 204)
        expect(cli("GET", at), 404)

    def connectors():
        path = f"{cluster}/connector-plugins/{config['connector.class']}/config/validate"
        assert expect(terraform("PUT", path, config), 200)["error_count"] == 0
        expect(cli("POST", f"{cluster}/connectors", {"name": "orders-1", "config": config, "offsets": None}), 201)

        def state(wanted):
            status = expect(terraform("GET", f"{cluster}/connectors/orders-1/status"), 200)
            assert status["connector"]["state"] not in ("FAILED", "NONE"), status
            return status["connector"]["state"] == wanted

        eventually("RUNNING", lambda: state("RUNNING"))
        both = f"{cluster}/connectors?expand=info%2Cstatus%2Cid&expand=id%2Cinfo%2Cstatus"
        listed = expect(cli("GET", both), 200)["orders-1"]
        assert set(listed["info"]["config"]) == set(config), listed
        expect(cli("PUT", f"{cluster}/connectors/orders-1/config", listed["info"]["config"]), 200)
        for verb, wanted in [("pause", "PAUSED"), ("resume", "RUNNING")]:
            expect(terraform("PUT", f"{cluster}/connectors/orders-1/{verb}"), 202)
            eventually(wanted, lambda: state(wanted))
        assert expect(cli("DELETE", f"{cluster}/connectors/orders-1"), 200) == {"error": None}

    check("replayed: login", login)
    check("replayed: provider integrations", integrations)
    check("replayed: connectors", connectors)


def drive_cli(program, service, config, place):
    home = place / "cli"
    (home / ".confluent").mkdir(parents=True)
    # It asks nobody else then.
    settings = {"disable_feature_flags": True, "disable_update_check": True, "disable_plugins": True}
    (home / ".confluent" / "config.json").write_text(json.dumps(settings))
    environment = {
        **CLEAN, "HOME": str(home), "CONFLUENT_CLOUD_EMAIL": EMAIL, "CONFLUENT_CLOUD_PASSWORD": PASSWORD}

    def run(*arguments, fails=False, reads=True):
        done = subprocess.run(
            [program, *arguments, *(["-o", "json"] if reads else [])], env=environment, capture_output=True, text=True,
            timeout=120)
        assert (done.returncode != 0) == fails, done
        return done.stderr + done.stdout if fails or not reads else json.loads(done.stdout or "null")

    def login():
        run("login", "--url", f"{service.url}/cpdev.cloud", reads=False)
        assert [one["id"] for one in run("environment", "list")] == [service.environment]

    def integrations():
        made = run("provider-integration", "create", "lake", "--cloud", "aws", "--customer-role-arn", CUSTOMER_ROLE)
        assert made["customer_role_arn"] == CUSTOMER_ROLE and made["external_id"], made
        assert run("provider-integration", "describe", made["id"])["name"] == "lake"
        assert [one["id"] for one in run("provider-integration", "list")] == [made["id"]]
        twice = run("provider-integration", "create", "b", "--cloud", "aws", "--customer-role-arn", CUSTOMER_ROLE, fails=True)
        assert "already" in twice, twice
        run("provider-integration", "delete", made["id"], "--force", reads=False)
        assert run("provider-integration", "list") == []
        assert "not found" in run("provider-integration", "describe", made["id"], fails=True)

    def connectors():
        at = ["--cluster", service.cluster]
        file = place / "orders.json"
        file.write_text(json.dumps({"name": "orders-2", "config": {**config, "name": "orders-2"}}))
        plugins = run("connect", "plugin", "list", *at)
        assert any(one["plugin_name"] == config["connector.class"] for one in plugins), plugins
        run("connect", "plugin", "describe", config["connector.class"], *at)
        made = run("connect", "cluster", "create", "--config-file", str(file), *at)

        def state(wanted):
            return run("connect", "cluster", "describe", made["id"], *at)["connector"]["status"] == wanted

        eventually("RUNNING", lambda: state("RUNNING"))
        for verb, wanted in [("pause", "PAUSED"), ("resume", "RUNNING")]:
            run("connect", "cluster", verb, made["id"], *at, reads=False)
            eventually(wanted, lambda: state(wanted))
        run("connect", "offset", "describe", made["id"], *at)
        file.write_text(json.dumps({"name": "orders-2", "config": {**config, "name": "orders-2", "tasks.max": "1"}}))
        run("connect", "cluster", "update", made["id"], "--config-file", str(file), *at, reads=False)
        run("connect", "cluster", "delete", made["id"], "--force", *at, reads=False)
        assert run("connect", "cluster", "list", *at) == []

    check("confluent: login", login)
    check("confluent: provider-integration", integrations)
    check("confluent: connect", connectors)
    check("confluent: logout", lambda: run("logout", reads=False))


def drive_terraform(program, provider, service, config, place):
    home = place / "terraform"
    home.mkdir()
    rc = home / "terraformrc"
    rc.write_text(f'provider_installation {{\n  dev_overrides {{ "confluentinc/confluent" = "{provider}" }}\n  direct {{}}\n}}\n')
    secret = "aws.secret.access.key"
    plain = {**{key: value for key, value in config.items() if key != secret}, "name": "orders-3"}
    (home / "main.tf").write_text(f"""
terraform {{ required_providers {{ confluent = {{ source = "confluentinc/confluent" }} }} }}
provider "confluent" {{
  endpoint         = "{service.url}"
  cloud_api_key    = "{service.key}"
  cloud_api_secret = "{service.secret}"
}}
data "confluent_environment" "own" {{ id = "{service.environment}" }}
resource "confluent_provider_integration" "lake" {{
  display_name = "lake"
  environment {{ id = data.confluent_environment.own.id }}
  aws {{ customer_role_arn = "{CUSTOMER_ROLE}" }}
}}
resource "confluent_provider_integration_setup" "draft" {{
  display_name = "draft"
  cloud        = "AWS"
  environment {{ id = data.confluent_environment.own.id }}
}}
resource "confluent_connector" "orders" {{
  environment {{ id = data.confluent_environment.own.id }}
  kafka_cluster {{ id = "{service.cluster}" }}
  config_sensitive    = {{ "{secret}" = {json.dumps(config[secret])} }}
  config_nonsensitive = jsondecode({json.dumps(json.dumps(plain))})
}}
""")
    environment = {**CLEAN, "HOME": str(home), "TF_CLI_CONFIG_FILE": str(rc)}

    def run(*arguments, codes=(0,)):
        done = subprocess.run(
            [program, *arguments, "-no-color", "-input=false"], cwd=home, env=environment, capture_output=True, text=True,
            timeout=800)
        assert done.returncode in codes, done.stdout + done.stderr
        return done.stdout

    check("terraform: apply", lambda: run("apply", "-auto-approve"))
    # 2 would be a difference: what is read back is what was sent.
    check("terraform: nothing left to do", lambda: run("plan", "-detailed-exitcode"))
    check("terraform: destroy", lambda: run("destroy", "-auto-approve"))


def main():
    running = []
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        try:
            local = Program("local", "--aws-listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", "--dir", str(place / "aws"))
            running.append(local)
            kafka = local.until(r"export TIDEGATE_BOOTSTRAP_SERVERS=(\S+)")
            aws = {name: local.until(f"export {name}=(\\S+)") for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
            # Who asks for the user's own name is told it.
            local.until("(up until stopped)")
            connector = json.loads((place / "aws" / "orders.json").read_text())
            config = connector.get("config", connector)
            config = {key: str(value) for key, value in config.items()}
            config.update({"name": "orders-1", "tasks.max": "2", "aws.access.key.id": aws["AWS_ACCESS_KEY_ID"],
                           "aws.secret.access.key": aws["AWS_SECRET_ACCESS_KEY"]})
            password = place / "password"
            password.write_text(PASSWORD + "\n")
            serve = Program(
                "serve", "--listen", "127.0.0.1:0", "--data-dir", str(place / "data"), "--bootstrap-server", kafka,
                "--init", "--init-email", EMAIL, "--password-file", str(password), "--auth", "required",
                "--principal", "arn:aws:iam::222222222222:user/tidegate", AWS_REGION="eu-central-1", **aws)
            running.append(serve)
            service = Service(serve.until(r"(http://127\.0\.0\.1:\d+)"))
            service.log_in()
            replay(service, config)
            cli = os.environ.get("CONFLUENT") or shutil.which("confluent")
            if cli:
                drive_cli(cli, service, config, place)
            else:
                skipped.append("the confluent CLI is not installed (put it on PATH, or name it in CONFLUENT)")
            terraform = os.environ.get("TERRAFORM") or shutil.which("terraform")
            provider = os.environ.get("CONFLUENT_PROVIDER")
            if terraform and provider:
                drive_terraform(terraform, provider, service, config, place)
            else:
                skipped.append("Terraform or Confluent's provider is not installed (name the provider's directory in CONFLUENT_PROVIDER)")
        finally:
            for program in reversed(running):
                program.stop()
    for what in skipped:
        print(f"skipped {what}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    sys.exit(1 if failed else 0)


main()

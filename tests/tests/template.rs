//! `template.yaml` against what it deploys: the channels, the environment that the functions read, the timeouts, and what
//! each role may do.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
    time::Duration,
};

use bellhop_core::{deliver::LEASE, token::FETCH};
use bellhop_egress::Settings;
use bellhop_lambda::env::{self, Function};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// What is deployed here: the default, and a channel whose name has a `_`.
const CHANNELS: &str = "webhook,custom,email,wecombot,webpush,mpush";

/// The template with its loops unrolled. `!Sub x` reads `{"Fn::Sub": "x"}`.
struct Template(Value);

/// A function of the template.
struct Deployed {
    name: String,
    which: Function,
    properties: Value,
}

fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(yes)) => json!(yes),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(entries) => entries.iter().map(|(key, item)| (key.as_str().unwrap().to_owned(), value(item))).collect(),
        Yaml::Tagged(tag, inner) => {
            let name = if tag.suffix == "Ref" { "Ref".to_owned() } else { format!("Fn::{}", tag.suffix) };
            Value::Object(Map::from_iter([(name, value(inner))]))
        }
        Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => panic!("CloudFormation does not read this: {yaml:?}"),
    }
}

/// What a loop makes of its body for one item.
fn turn(variable: &str, body: &Value, item: &str, names: &BTreeMap<String, String>) -> Value {
    let reference = format!(r#"{{"Ref":"{variable}"}}"#);
    let text = body.to_string().replace(&format!("${{{variable}}}"), item).replace(&reference, &format!("\"{item}\""));
    resolved(&serde_json::from_str(&text).unwrap(), names)
}

/// With each look-up of a channel's id done, also where a text is made of it.
fn resolved(value: &Value, names: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| resolved(item, names)).collect(),
        Value::Object(object) => match object.iter().next() {
            Some((call, Value::Array(arguments))) if call == "Fn::FindInMap" && arguments[0] == "Names" => {
                json!(names[arguments[1].as_str().unwrap()])
            }
            Some((call, Value::Array(arguments))) if call == "Fn::Sub" => {
                let id = text(&resolved(&arguments[1]["Id"], names));
                json!({ "Fn::Sub": arguments[0].as_str().unwrap().replace("${Id}", &id) })
            }
            _ => Value::Object(object.iter().map(|(name, value)| (name.clone(), resolved(value, names))).collect()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

impl Template {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let text = fs::read_to_string(path).unwrap();
        let mut template = value(&Yaml::load_from_str(&text).unwrap()[0]);
        let names = Self(template.clone()).names();
        let resources = template["Resources"].as_object_mut().unwrap();
        let loops: Vec<_> = resources.keys().filter(|name| name.starts_with("Fn::ForEach::")).cloned().collect();
        for looped in loops {
            let parts = resources.remove(&looped).unwrap();
            let over_channels = parts[1] == json!({ "Ref": "Channels" });
            let items = if over_channels { CHANNELS.split(',').map(str::to_owned).collect() } else { strings(&parts[1]) };
            for item in items {
                resources.extend(turn(parts[0].as_str().unwrap(), &parts[2], &item, &names).as_object().unwrap().clone());
            }
        }
        Self(template)
    }

    /// By the names that they have in logical ids.
    #[expect(clippy::unused_self, reason = "they are this template's")]
    fn channels(&self) -> Vec<&'static str> {
        CHANNELS.split(',').collect()
    }

    /// The ids of all channels by the names that they have in logical ids.
    fn names(&self) -> BTreeMap<String, String> {
        let names = self.0["Mappings"]["Names"].as_object().unwrap().iter();
        names.map(|(name, row)| (name.clone(), text(&row["Id"]))).collect()
    }

    fn resource(&self, name: &str) -> &Value {
        let found = &self.0["Resources"][name];
        assert!(found.is_object(), "there is no `{name}`");
        &found["Properties"]
    }

    fn of_type(&self, kind: &str) -> Vec<(&str, &Value)> {
        let resources = self.0["Resources"].as_object().unwrap().iter();
        let found: Vec<_> = resources.filter(|(_, it)| it["Type"] == kind).map(|(name, it)| (name.as_str(), it)).collect();
        assert!(!found.is_empty(), "there is no {kind}");
        found
    }

    fn functions(&self) -> Vec<Deployed> {
        let functions = self.of_type("AWS::Serverless::Function").into_iter();
        functions
            .map(|(name, function)| {
                let which = match name {
                    "Ingest" => Function::Ingest,
                    "Manage" => Function::Manage,
                    "Batch" => Function::Batch,
                    "Socket" => Function::Socket,
                    "Kafka" => Function::Kafka,
                    sender if sender.starts_with("Sender") => Function::Sender,
                    other => panic!("`{other}` is new: say here what it is"),
                };
                Deployed { name: name.to_owned(), which, properties: function["Properties"].clone() }
            })
            .collect()
    }

    /// Every statement of a function's role.
    fn statements(&self, function: &Deployed) -> Vec<Value> {
        let role = text(&function.properties["Role"]["Fn::GetAtt"]);
        let name = role.split('.').next().unwrap();
        let policies = self.resource(name)["Policies"].as_array().unwrap().iter();
        let all = policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone());
        // what depends on a condition is there if it holds
        all.map(|statement| match &statement["Fn::If"] {
            Value::Array(either) => {
                assert_eq!(either[2], json!({ "Ref": "AWS::NoValue" }), "{statement}");
                either[1].clone()
            }
            _ => statement,
        })
        .collect()
    }
}

/// `A.Arn`, `[A, Arn]` and `[!Sub A, Arn]` are one.
fn text(reference: &Value) -> String {
    match reference {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join("."),
        Value::Object(call) => text(call.values().next().unwrap()),
        other => panic!("no reference: {other}"),
    }
}

fn strings(one_or_many: &Value) -> Vec<String> {
    match one_or_many {
        Value::Array(many) => many.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_u64().unwrap())
}

#[test]
fn whoever_says_nothing_deploys_three_channels() {
    assert_eq!(Template::read().0["Parameters"]["Channels"]["Default"], "webhook,custom,email");
}

#[test]
fn every_channel_can_be_deployed_under_its_name_without_underscores() {
    let names = Template::read().names();
    let known: Vec<_> = bellhop_channels::SPECS.specs.iter().map(|spec| spec.id).collect();
    for id in &known {
        let name = id.replace('_', "");
        assert_eq!(
            names.get(&name).map(String::as_str),
            Some(*id),
            "write `{name}: {{ Id: {id} }}` into `Names` of template.yaml"
        );
    }
    let unknown: Vec<_> = names.values().filter(|id| !known.contains(&id.as_str())).collect();
    assert!(unknown.is_empty(), "`Names` of template.yaml has {unknown:?}, which are no channels");
}

#[test]
fn all_channels_together_stay_below_400_resources_and_the_docs_say_how_many_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let python = root.join(".venv-deploy/bin/python");
    assert!(python.exists(), "{} is missing: run `cargo xtask python`", python.display());
    let all: Vec<_> = Template::read().names().into_keys().collect();
    let output = Command::new(python).args(["tests/aws/expand.py", &all.join(",")]).current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expanded: Value = serde_json::from_slice(&output.stdout).unwrap();
    let resources = expanded["Resources"].as_object().unwrap();
    assert!(resources.keys().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric())));
    assert!(resources.len() < 400, "AWS takes 500 in a stack: {}", resources.len());
    let said = format!("All {} channels make {} resources", all.len(), resources.len());
    let page = fs::read_to_string(root.join("docs/scale.md")).unwrap();
    assert!(page.contains(&said), "write into docs/scale.md: {said}");
}

#[test]
fn every_channel_has_a_package_to_be_deployed_from() {
    // `cargo xtask lambda` lays out a package for each file of cases
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/channels/cases");
    let cases = fs::read_dir(cases).unwrap().map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let known: BTreeSet<_> = bellhop_channels::SPECS.specs.iter().map(|spec| spec.id.to_owned()).collect();
    assert_eq!(cases.collect::<BTreeSet<_>>(), known);
}

#[test]
fn each_function_is_given_the_variables_that_it_reads_and_no_others() {
    let template = Template::read();
    let everywhere = template.0["Globals"]["Function"]["Environment"]["Variables"].as_object().unwrap();
    for function in template.functions() {
        let own = function.properties["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
        let given: BTreeSet<_> = everywhere.keys().chain(own.keys()).map(String::as_str).collect();
        let read = env::ALL.iter().filter(|(_, readers)| readers.contains(&function.which));
        assert_eq!(given, read.map(|(name, _)| *name).collect(), "{}", function.name);
    }
}

#[test]
fn a_claim_ends_before_its_message_comes_again_and_a_request_before_its_function() {
    let template = Template::read();
    let request = Settings::default().total_timeout;
    for channel in template.channels() {
        let hidden = seconds(&template.resource(&format!("Queue{channel}"))["VisibilityTimeout"]);
        let function = seconds(&template.resource(&format!("Sender{channel}"))["Timeout"]);
        assert!(hidden >= 6 * function, "https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html");
        assert!(function > request + Duration::from_secs(5), "a batch stops 5 s before its function's deadline");
        assert!(LEASE < hidden);
        assert!(LEASE >= function, "whoever is killed at the deadline sends nothing after its claim is over");
    }
    assert!(FETCH > request, "nobody else fetches a token while its request is under way");
}

#[test]
fn no_function_that_answers_http_works_longer_than_the_api_waits() {
    let template = Template::read();
    for function in template.functions() {
        if matches!(function.which, Function::Ingest | Function::Manage | Function::Socket) {
            assert!(seconds(&function.properties["Timeout"]) < Duration::from_secs(30), "{}", function.name);
        }
    }
}

#[test]
fn queues_keep_messages_for_ten_days_and_dead_letters_for_fourteen() {
    let template = Template::read();
    let kept = |name: String| seconds(&template.resource(&name)["MessageRetentionPeriod"]);
    for channel in template.channels() {
        assert_eq!(kept(format!("Queue{channel}")), bellhop_aws::RETENTION);
        assert_eq!(kept(format!("DeadLetters{channel}")), Duration::from_hours(14 * 24));
        let id = &template.names()[channel];
        assert_eq!(text(&template.resource(&format!("Queue{channel}"))["QueueName"]), format!("${{AWS::StackName}}_q_{id}"));
        assert_eq!(
            text(&template.resource(&format!("DeadLetters{channel}"))["QueueName"]),
            format!("${{AWS::StackName}}_dead_{id}")
        );
        let redrive = &template.resource(&format!("Queue{channel}"))["RedrivePolicy"];
        assert_eq!(redrive["maxReceiveCount"], bellhop_core::ports::MOST_RECEIVES);
        assert_eq!(text(&redrive["deadLetterTargetArn"]), format!("DeadLetters{channel}.Arn"));
    }
}

#[test]
fn senders_report_failures_one_by_one_and_wait_for_no_batch() {
    let template = Template::read();
    for channel in template.channels() {
        let source = &template.resource(&format!("Sender{channel}"))["Events"]["Queue"]["Properties"];
        assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        assert_eq!(source.get("MaximumBatchingWindowInSeconds"), None);
        assert!(source["ScalingConfig"]["MaximumConcurrency"].is_object());
        assert_eq!(text(&source["Queue"]), format!("Queue{channel}.Arn"));
    }
}

#[test]
fn every_function_has_a_log_group_that_forgets() {
    let template = Template::read();
    for function in template.functions() {
        let group = text(&function.properties["LoggingConfig"]["LogGroup"]);
        assert_eq!(template.resource(&group)["RetentionInDays"], json!({ "Ref": "LogRetentionDays" }), "{}", function.name);
    }
}

#[test]
fn what_is_kept_outlives_the_stack() {
    let template = Template::read();
    for name in ["Table", "Seal", "Bucket"] {
        assert_eq!(template.0["Resources"][name]["DeletionPolicy"], "Retain", "{name}");
    }
    let table = template.resource("Table");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert_eq!(table["TimeToLiveSpecification"], json!({ "AttributeName": bellhop_aws::EXPIRES, "Enabled": true }));
}

#[test]
fn the_tables_one_index_is_the_one_that_is_asked() {
    let template = Template::read();
    let index = &template.resource("Table")["GlobalSecondaryIndexes"];
    let keys = [(bellhop_aws::RARE_PK, "HASH"), (bellhop_aws::RARE_SK, "RANGE")];
    let keys = keys.map(|(name, kind)| json!({ "AttributeName": name, "KeyType": kind }));
    let wanted = json!({ "IndexName": bellhop_aws::RARE, "KeySchema": keys, "Projection": { "ProjectionType": "KEYS_ONLY" } });
    assert_eq!(*index, json!([wanted]));
}

#[test]
fn the_operators_key_is_never_shown() {
    assert_eq!(Template::read().0["Parameters"]["AdminKeyHash"]["NoEcho"], true);
}

#[test]
fn no_role_has_an_action_with_a_star_or_may_scan() {
    let template = Template::read();
    for function in template.functions() {
        for statement in template.statements(&function) {
            for action in strings(&statement["Action"]) {
                assert!(!action.contains('*') && action != "dynamodb:Scan", "{}: {action}", function.name);
            }
            let is_tracing = statement["Sid"] == "WriteTraces";
            assert!(is_tracing || statement["Resource"] != "*", "{}: {statement}", function.name);
        }
    }
}

#[test]
fn every_statement_on_the_table_names_its_rows() {
    let template = Template::read();
    for function in template.functions() {
        for statement in template.statements(&function) {
            let is_on_rows =
                strings(&statement["Action"])[0].starts_with("dynamodb:") && text(&statement["Resource"]) == "Table.Arn";
            let rows = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
            assert!(!is_on_rows || rows.is_array(), "{}: {statement}", function.name);
        }
    }
}

/// Whether a statement allows something; some look that up by the sender's channel.
fn allows(template: &Template, statement: &Value) -> bool {
    match &statement["Effect"]["Fn::FindInMap"] {
        Value::Array(call) => {
            let [mapping, channel] = [0, 1].map(|at| call[at].as_str().unwrap());
            assert_eq!(call[3], json!({ "DefaultValue": "Deny" }), "{statement}");
            template.0["Mappings"][mapping][channel]["Effect"] == "Allow"
        }
        _ => statement["Effect"] == "Allow",
    }
}

/// Whether that sender speaks to browsers: an Mpush client may be told by Web Push.
fn speaks_to_browsers(channel: &str) -> bool {
    ["mpush", "webpush"].contains(&channel)
}

/// The rows that a function may reach with one of these actions.
fn rows(template: &Template, function: &Deployed, actions: &[&str]) -> BTreeSet<String> {
    let statements = template.statements(function).into_iter().filter(|it| allows(template, it));
    let fitting = statements.filter(|it| strings(&it["Action"]).iter().any(|action| actions.contains(&action.as_str())));
    let keys = fitting.map(|it| it["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"].clone());
    keys.filter(Value::is_array).flat_map(|keys| strings(&keys)).collect()
}

const READS: [&str; 3] = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"];
const WRITES: [&str; 3] = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"];

#[test]
fn ingest_reads_no_secret_and_unseals_nothing() {
    let template = Template::read();
    for function in template.functions().iter().filter(|function| function.which == Function::Ingest) {
        assert!(!rows(&template, function, &READS).iter().any(|rows| rows.starts_with("secret")));
        let statements = template.statements(function);
        assert!(!statements.iter().flat_map(|it| strings(&it["Action"])).any(|action| action.starts_with("kms:")));
    }
}

#[test]
fn the_paths_of_hooks_lead_to_ingest_which_finds_them_by_their_tokens_alone() {
    let template = Template::read();
    let route = template.resource("HookRoute");
    assert_eq!(
        (&route["RouteKey"], text(&route["Target"])),
        (&json!("ANY /in/{token}"), "integrations/${IngestIntegration}".into())
    );
    for function in template.functions() {
        let of_hooks = |actions: &[&str]| -> Vec<_> {
            rows(&template, &function, actions).into_iter().filter(|rows| rows.starts_with("hook")).collect()
        };
        let both = || ["hook/*", "hooks/*"].map(str::to_owned).to_vec();
        let (read, written) = (of_hooks(&READS), of_hooks(&WRITES));
        match function.which {
            Function::Ingest => assert_eq!((read, written), (vec!["hook/*".to_owned()], vec![])),
            Function::Manage => {
                assert_eq!((read, written), (both(), both()));
            }
            Function::Batch | Function::Sender | Function::Socket | Function::Kafka => {
                assert!(read.is_empty() && written.is_empty(), "{}", function.name);
            }
        }
    }
}

#[test]
fn what_is_at_no_route_may_be_a_request_of_mpush_and_goes_to_ingest() {
    let template = Template::read();
    let routes = template.of_type("AWS::ApiGatewayV2::Route").into_iter().map(|(_, route)| &route["Properties"]);
    let of_http = routes.filter(|route| route["ApiId"] == json!({ "Ref": "Api" }));
    let to: BTreeMap<_, _> = of_http.map(|route| (text(&route["RouteKey"]), text(&route["Target"]))).collect();
    let (ingest, manage) = ("integrations/${IngestIntegration}", "integrations/${ManageIntegration}");
    assert_eq!(to["$default"], ingest);
    assert_eq!((to["ANY /v1/{rest+}"].as_str(), to["ANY /openapi.json"].as_str()), (manage, manage));
}

#[test]
fn a_browser_finds_the_console_at_manage_and_leaves_the_root_to_mpush_otherwise() {
    let template = Template::read();
    let routes = template.of_type("AWS::ApiGatewayV2::Route").into_iter().map(|(_, route)| &route["Properties"]);
    let of_manage = routes.filter(|route| text(&route["Target"]) == "integrations/${ManageIntegration}");
    let keys: BTreeSet<_> = of_manage.map(|route| text(&route["RouteKey"])).collect();
    for key in ["GET /", "ANY /console", "ANY /console/{rest+}"] {
        assert!(keys.contains(key), "{key}");
    }
    assert!(!keys.contains("ANY /") && !keys.contains("POST /"));
}

#[test]
fn mpush_clients_have_a_websocket_api_where_their_channel_is_deployed_and_one_function_hears_all_they_say() {
    let template = Template::read();
    let all = template.0["Resources"].as_object().unwrap().iter().chain(template.0["Outputs"].as_object().unwrap());
    let mentions = |value: &Value| ["Socket", "SocketApi"].iter().any(|name| value.to_string().contains(&format!("\"{name}\"")));
    let of_clients = all.filter(|(name, it)| name.starts_with("Socket") || it["Type"] != "AWS::IAM::Role" && mentions(it));
    for (name, resource) in of_clients {
        assert_eq!(resource["Condition"], "HasClients", "{name}");
    }
    for (route, key) in [("ConnectRoute", "$connect"), ("PacketRoute", "$default"), ("DisconnectRoute", "$disconnect")] {
        let route = template.resource(route);
        assert_eq!((&route["RouteKey"], text(&route["Target"])), (&json!(key), "integrations/${SocketIntegration}".into()));
    }
    let may_push: BTreeSet<_> = template
        .functions()
        .into_iter()
        .filter(|function| {
            let statements = template.statements(function).into_iter().filter(|it| allows(&template, it));
            statements.flat_map(|it| strings(&it["Action"])).any(|action| action == "execute-api:ManageConnections")
        })
        .map(|function| function.name)
        .collect();
    let wanted = ["Manage", "Sendermpush", "Socket"].map(str::to_owned);
    assert_eq!(may_push, wanted.into(), "clients of Web Push keep no connection");
}

#[test]
fn socket_which_anybody_can_reach_reads_and_unseals_what_clients_said_of_themselves_and_nothing_else() {
    let template = Template::read();
    let socket = template.functions().into_iter().find(|function| function.which == Function::Socket).unwrap();
    let secrets =
        |rows: BTreeSet<String>| -> Vec<String> { rows.into_iter().filter(|rows| rows.starts_with("secret")).collect() };
    let own = ["secret/mpush", "secret/mpush/*", "secret/web_push"];
    assert_eq!(secrets(rows(&template, &socket, &READS)), own);
    assert_eq!(secrets(rows(&template, &socket, &WRITES)), own);
    let unseals = template.statements(&socket).into_iter().filter(|it| strings(&it["Action"])[0].starts_with("kms:"));
    let contexts: Vec<_> = unseals.map(|it| it["Condition"]["StringEquals"]["kms:EncryptionContext:channel"].clone()).collect();
    assert_eq!(contexts, [json!(["mpush", "web_push"])]);
    let keys =
        rows(&template, &socket, &WRITES).into_iter().filter(|rows| rows.starts_with("key") || rows.starts_with("account"));
    assert_eq!(keys.count(), 0, "it makes no keys");
}

#[test]
fn records_of_kafka_are_taken_where_brokers_are_named_and_by_whoever_can_report_one_by_one_what_was_not_taken() {
    let template = Template::read();
    for (parameter, nothing) in [("KafkaCluster", ""), ("KafkaBrokers", ""), ("KafkaSecret", ""), ("KafkaSubnets", "")] {
        assert_eq!(template.0["Parameters"][parameter]["Default"], nothing, "{parameter}");
    }
    let resources = template.0["Resources"].as_object().unwrap();
    for (name, resource) in resources.iter().filter(|(name, _)| name.starts_with("Kafka") || name.ends_with("AlarmKafka")) {
        let wanted = match name.as_str() {
            "KafkaFromMsk" => "HasMsk",
            "KafkaFromBrokers" => "HasBrokers",
            _ => "HasKafka",
        };
        assert_eq!(resource["Condition"], wanted, "{name}");
    }
    for source in ["KafkaFromMsk", "KafkaFromBrokers"].map(|name| template.resource(name)) {
        assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        assert!(source["ProvisionedPollerConfig"].is_object(), "else the response is not read");
        assert_eq!(source["StartingPosition"], "TRIM_HORIZON", "what was written before the stack was made counts");
        assert_eq!(source.get("MaximumRetryAttempts"), None, "what was not taken comes again until it is");
        assert_eq!(source.get("DestinationConfig"), None, "AWS would give up after ten tries");
    }
}

#[test]
fn kafka_makes_events_and_tasks_and_reads_no_key_and_no_secret() {
    let template = Template::read();
    let kafka = template.functions().into_iter().find(|function| function.which == Function::Kafka).unwrap();
    let reached: BTreeSet<_> = rows(&template, &kafka, &READS).union(&rows(&template, &kafka, &WRITES)).cloned().collect();
    for others in ["key", "hook", "mpush", "secret", "former", "token", "vapid", "audit", "use"] {
        assert!(!reached.iter().any(|rows| rows.starts_with(others)), "{others}");
    }
    assert!(rows(&template, &kafka, &["dynamodb:DeleteItem", "dynamodb:UpdateItem"]).is_empty());
    let actions: Vec<_> = template.statements(&kafka).iter().flat_map(|it| strings(&it["Action"])).collect();
    assert!(!actions.iter().any(|action| action.starts_with("kms:") || action.starts_with("ses:")));
}

#[test]
fn a_sender_reads_its_own_channels_secrets_and_writes_no_registration() {
    let template = Template::read();
    let senders: Vec<_> = template.functions().into_iter().filter(|function| function.which == Function::Sender).collect();
    assert_eq!(senders.len(), template.channels().len());
    for (function, channel) in senders.iter().zip(template.channels()) {
        let id = &template.names()[channel];
        let secrets: Vec<_> = rows(&template, function, &READS).into_iter().filter(|rows| rows.starts_with("secret")).collect();
        let also = (channel == "mpush").then(|| "secret/web_push".to_owned());
        let own = [format!("secret/{id}"), format!("secret/{id}/*")].into_iter().chain(also);
        assert_eq!(secrets, own.collect::<Vec<_>>());
        let tokens = format!("token/{id}/*");
        let written = ["delivery/*", "due", "due/*", "pace/*", "standing/*", &tokens];
        let of_clients = ["client/*", "connection/*", "line/*", "vapid"].into_iter().filter(|_| speaks_to_browsers(channel));
        let written = written.into_iter().chain(of_clients).map(str::to_owned);
        assert_eq!(rows(&template, function, &WRITES), written.collect(), "{channel}");
    }
}

#[test]
fn the_key_of_web_push_is_made_by_manage_and_by_who_speaks_to_browsers_and_ingest_tells_its_public_part() {
    let template = Template::read();
    for function in template.functions() {
        let reaches = |action: &str| rows(&template, &function, &[action]).contains("vapid");
        let may = match function.which {
            Function::Manage | Function::Socket => true,
            Function::Sender => function.name.strip_prefix("Sender").is_some_and(speaks_to_browsers),
            Function::Ingest | Function::Batch | Function::Kafka => false,
        };
        let tells = may || function.which == Function::Ingest;
        assert_eq!((reaches("dynamodb:GetItem"), reaches("dynamodb:PutItem")), (tells, may), "{}", function.name);
        assert!(!reaches("dynamodb:UpdateItem") && !reaches("dynamodb:DeleteItem"), "{}", function.name);
    }
}

#[test]
fn former_parameters_are_read_and_the_audit_is_kept_by_manage_alone_which_deletes_nothing_of_it() {
    let template = Template::read();
    for function in template.functions() {
        let reached = |actions: &[&str]| -> Vec<String> {
            let all = rows(&template, &function, actions).into_iter();
            all.filter(|rows| rows.starts_with("former") || rows.starts_with("audit")).collect()
        };
        let (read, kept): (&[&str], &[&str]) = match function.which {
            Function::Manage => (&["audit/*", "former/*"], &["audit/*", "former/*"]),
            // a client that subscribes anew changes its own parameters
            Function::Socket => (&[], &["former/*"]),
            Function::Ingest | Function::Sender | Function::Batch | Function::Kafka => (&[], &[]),
        };
        assert_eq!(reached(&READS), read, "{}", function.name);
        assert_eq!(reached(&["dynamodb:PutItem"]), kept, "{}", function.name);
        assert_eq!(reached(&["dynamodb:DeleteItem"]).contains(&"former/*".to_owned()), kept.contains(&"former/*"));
        assert!(!reached(&["dynamodb:UpdateItem", "dynamodb:DeleteItem"]).contains(&"audit/*".to_owned()));
    }
}

#[test]
fn tokens_of_providers_are_read_and_written_by_the_sender_of_their_channel_and_by_whoever_tests_it() {
    let template = Template::read();
    for function in template.functions() {
        let reached = [READS, WRITES].into_iter().flat_map(|actions| rows(&template, &function, &actions));
        let tokens: BTreeSet<_> = reached.filter(|rows| rows.starts_with("token")).collect();
        let own = match function.which {
            Function::Manage => Some("token/*".to_owned()),
            Function::Sender => function.name.strip_prefix("Sender").map(|name| format!("token/{}/*", template.names()[name])),
            Function::Ingest | Function::Batch | Function::Socket | Function::Kafka => None,
        };
        assert_eq!(tokens, own.into_iter().collect(), "{}", function.name);
    }
}

#[test]
fn a_test_may_do_what_a_message_may_and_records_no_delivery() {
    let template = Template::read();
    let functions = template.functions();
    let manage = functions.iter().find(|function| function.which == Function::Manage).unwrap();
    let allows = |action: &str| {
        let statements = template.statements(manage);
        statements.iter().any(|it| strings(&it["Action"]).iter().any(|allowed| allowed == action))
    };
    assert!(allows("kms:Decrypt") && allows("ses:SendRawEmail"));
    assert!(rows(&template, manage, &["dynamodb:UpdateItem"]).contains("pace/*"), "it takes a slot");
    assert!(!rows(&template, manage, &WRITES).iter().any(|rows| rows.starts_with("event")));
}

#[test]
fn without_subnets_there_is_no_vpc_and_with_them_all_that_sends_is_in_it() {
    let template = Template::read();
    for parameter in ["SenderSubnets", "SenderSecurityGroups"] {
        let said = &template.0["Parameters"][parameter];
        assert_eq!((&said["Type"], &said["Default"]), (&json!("CommaDelimitedList"), &json!("")), "{parameter}");
    }
    assert!(template.0["Conditions"]["HasVpc"].to_string().contains("SenderSubnets"));
    let config = json!({ "Fn::If": ["HasVpc",
        { "SubnetIds": { "Ref": "SenderSubnets" }, "SecurityGroupIds": { "Ref": "SenderSecurityGroups" } },
        { "Ref": "AWS::NoValue" }] });
    for function in template.functions() {
        let role = text(&function.properties["Role"]["Fn::GetAtt"]);
        let attaches = template.resource(role.split('.').next().unwrap())["ManagedPolicyArns"].to_string();
        match function.which {
            Function::Manage | Function::Sender => {
                assert_eq!(function.properties["VpcConfig"], config, "{}", function.name);
                assert!(attaches.contains("HasVpc") && attaches.contains("AWSLambdaVPCAccessExecutionRole"), "{attaches}");
            }
            // those who read the brokers for it may be in their network
            Function::Kafka => {
                assert_eq!(function.properties.get("VpcConfig"), None);
                assert!(attaches.contains("AWSLambdaMSKExecutionRole"), "{attaches}");
            }
            Function::Ingest | Function::Batch | Function::Socket => {
                assert_eq!((function.properties.get("VpcConfig"), attaches.as_str()), (None, "null"), "{}", function.name);
            }
        }
    }
}

#[test]
fn a_sender_reaches_the_queues_of_its_own_channel_alone() {
    let template = Template::read();
    for function in template.functions().iter().filter(|function| function.which == Function::Sender) {
        let channel = function.name.strip_prefix("Sender").unwrap();
        for statement in template.statements(function) {
            if strings(&statement["Action"])[0].starts_with("sqs:") {
                let queue = text(&statement["Resource"]);
                assert!([format!("Queue{channel}.Arn"), format!("DeadLetters{channel}.Arn")].contains(&queue), "{queue}");
            }
            if strings(&statement["Action"])[0].starts_with("kms:") && allows(&template, &statement) {
                let context = statement["Condition"]["StringEquals"]["kms:EncryptionContext:channel"].as_str().unwrap();
                let is_own = context == template.names()[channel] || context == "web_push" && speaks_to_browsers(channel);
                assert_eq!(
                    (strings(&statement["Action"]), is_own),
                    (vec!["kms:Decrypt".to_owned()], true),
                    "{channel}: {context}"
                );
            }
        }
    }
}

#[test]
fn only_the_sender_of_ses_may_send_through_ses_and_whoever_tests_it() {
    let template = Template::read();
    assert_eq!(template.0["Mappings"]["ThroughSes"], json!({ "ses": { "Effect": "Allow" } }));
    for function in template.functions() {
        let mails = template.statements(&function).into_iter().filter(|it| strings(&it["Action"])[0].starts_with("ses:"));
        let effects: Vec<_> = mails.map(|it| it["Effect"].clone()).collect();
        match function.name.strip_prefix("Sender") {
            Some(channel) => {
                let found = json!({ "Fn::FindInMap": ["ThroughSes", channel, "Effect", { "DefaultValue": "Deny" }] });
                assert_eq!(effects, [found]);
            }
            None if function.which == Function::Manage => assert_eq!(effects, ["Allow"]),
            None => assert!(effects.is_empty(), "{}", function.name),
        }
    }
}

#[test]
fn the_tick_comes_every_minute_under_the_stacks_own_name() {
    let template = Template::read();
    let tick = &template.resource("Batch")["Events"]["Tick"]["Properties"];
    assert_eq!(tick["ScheduleExpression"], "rate(1 minute)");
    assert!(text(&tick["Name"]).contains("${AWS::StackName}"));
}

#[test]
fn every_alarm_says_where_its_meaning_is_written() {
    let template = Template::read();
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md")).unwrap();
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        assert!(text(&alarm["Properties"]["AlarmDescription"]).ends_with("see docs/operating.md"), "{name}");
        let mut owners = template.channels();
        owners.extend(["Ingest", "Manage", "Batch", "Socket", "Kafka"]);
        let kind = owners.into_iter().find_map(|owner| name.strip_suffix(owner)).unwrap_or(name);
        assert!(page.contains(&format!("`{kind}`")), "docs/operating.md lacks `{kind}`");
    }
}

//! `template.yaml` against what it deploys: the channels, the environment that the functions read, the timeouts, and what
//! each role may do.

#![expect(clippy::unwrap_used, reason = "a test")]

mod roles;
mod unrolled;

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
use serde_json::{Value, json};

use roles::allows;
use unrolled::{Template, seconds, strings, text};

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

//! What each role may do.

use std::collections::BTreeSet;

use bellhop_lambda::env::Function;
use serde_json::{Value, json};

use crate::unrolled::{Deployed, Template, strings, text};

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
pub(crate) fn allows(template: &Template, statement: &Value) -> bool {
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

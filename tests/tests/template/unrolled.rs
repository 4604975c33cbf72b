//! The template as it is once its loops are unrolled.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bellhop_lambda::env::Function;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// What is deployed here: the default, and a channel whose name has a `_`.
pub(crate) const CHANNELS: &str = "webhook,custom,email,wecombot,webpush,mpush";

/// The template with its loops unrolled. `!Sub x` reads `{"Fn::Sub": "x"}`.
pub(crate) struct Template(pub(crate) Value);

/// A function of the template.
pub(crate) struct Deployed {
    pub(crate) name: String,
    pub(crate) which: Function,
    pub(crate) properties: Value,
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
    pub(crate) fn read() -> Self {
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
    pub(crate) fn channels(&self) -> Vec<&'static str> {
        CHANNELS.split(',').collect()
    }

    /// The ids of all channels by the names that they have in logical ids.
    pub(crate) fn names(&self) -> BTreeMap<String, String> {
        let names = self.0["Mappings"]["Names"].as_object().unwrap().iter();
        names.map(|(name, row)| (name.clone(), text(&row["Id"]))).collect()
    }

    pub(crate) fn resource(&self, name: &str) -> &Value {
        let found = &self.0["Resources"][name];
        assert!(found.is_object(), "there is no `{name}`");
        &found["Properties"]
    }

    pub(crate) fn of_type(&self, kind: &str) -> Vec<(&str, &Value)> {
        let resources = self.0["Resources"].as_object().unwrap().iter();
        let found: Vec<_> = resources.filter(|(_, it)| it["Type"] == kind).map(|(name, it)| (name.as_str(), it)).collect();
        assert!(!found.is_empty(), "there is no {kind}");
        found
    }

    pub(crate) fn functions(&self) -> Vec<Deployed> {
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
    pub(crate) fn statements(&self, function: &Deployed) -> Vec<Value> {
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
pub(crate) fn text(reference: &Value) -> String {
    match reference {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join("."),
        Value::Object(call) => text(call.values().next().unwrap()),
        other => panic!("no reference: {other}"),
    }
}

pub(crate) fn strings(one_or_many: &Value) -> Vec<String> {
    match one_or_many {
        Value::Array(many) => many.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

pub(crate) fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_u64().unwrap())
}

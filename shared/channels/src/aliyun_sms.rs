//! Text messages by Alibaba Cloud (Dysmsapi `SendSms`).
//!
//! There is no free text: a template that Alibaba has approved is filled in. A registration's `params` may name parts of
//! the message (`$title`, `$content`, `$url`) as values of its variables. Accepted is not received: receipts are not read.
//! Every attempt is signed anew, with its own date and nonce.
//! <https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms>

use std::time::Duration;

use bellhop_core::{
    Code, Problem, Reason, Retry, SendError, Timestamp,
    channel::{Body, Context, Kind, Limits, Message, Method, Outgoing, Param, Params, Reply, Spec, Step},
    model::{AddressKind, Format},
};
use serde_json::{Map, Value};

use crate::{
    answer::{Answer, Fault, refused_as, undocumented},
    param::{param, required, text},
    request::Once,
    sign,
    template::{Texts, percent_encoded},
};

/// In one call.
const MOST_NUMBERS: usize = 1000;

const HOST: &str = "dysmsapi.aliyuncs.com";

pub(crate) static SPEC: Spec = Spec {
    id: "aliyun_sms",
    label: text("Alibaba Cloud SMS", "阿里云短信"),
    help: text("Sends text messages from an approved template.", "使用已审核的模板发送短信。"),
    docs: "https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms",
    limits: Limits { title: None, body: None, part: None, rate: None },
    shows: &[Format::Text],
    client: None,
    address: Some(AddressKind::Sms),
    params: &[ACCESS_KEY_ID, ACCESS_KEY_SECRET, SIGN_NAME, TEMPLATE_CODE, PHONE_NUMBERS, PARAMS, SIGNATURE],
    short: None,
    check,
};

const ACCESS_KEY_ID: Param = Param {
    required: true,
    ..param(
        "access_key_id",
        Kind::Text,
        text("AccessKey id", "AccessKey ID"),
        text("Of a RAM user who may call `SendSms` and nothing else.", "建议使用仅有 `SendSms` 权限的 RAM 用户。"),
    )
};

const ACCESS_KEY_SECRET: Param = Param {
    required: true,
    secret: true,
    ..param(
        "access_key_secret",
        Kind::Text,
        text("AccessKey secret", "AccessKey Secret"),
        text("What belongs to the AccessKey id.", "与 AccessKey ID 对应的密钥。"),
    )
};

const SIGN_NAME: Param = Param {
    required: true,
    ..param(
        "sign_name",
        Kind::Text,
        text("Signature name", "签名名称"),
        text("The approved name that stands before the text.", "短信开头的已审核签名。"),
    )
};

const TEMPLATE_CODE: Param = Param {
    required: true,
    ..param(
        "template_code",
        Kind::Text,
        text("Template code", "模板 Code"),
        text("Of an approved template, such as `SMS_154950909`.", "已审核的模板，例如 `SMS_154950909`。"),
    )
};

const PHONE_NUMBERS: Param = param(
    "phone_numbers",
    Kind::List,
    text("Phone numbers", "手机号码"),
    text(
        "Up to 1000, for messages that name no number themselves; those abroad begin with `+` and the country's code.",
        "最多 1000 个，用于未指定号码的消息；境外号码以 `+` 和国家代码开头。",
    ),
);

const PARAMS: Param = Param {
    per_message: true,
    ..param(
        "params",
        Kind::Object,
        text("Template variables", "模板变量"),
        text(
            "Such as `{\"code\": \"1234\", \"name\": \"$title\"}`; `$title`, `$content` and `$url` are the message's.",
            "例如 `{\"code\": \"1234\", \"name\": \"$title\"}`；`$title`、`$content`、`$url` 取自消息。",
        ),
    )
};

const SIGNATURE: Param = Param {
    default: Some("ACS3"),
    ..param(
        "signature",
        Kind::Choice(&["ACS3"]),
        text("Kind of signature", "签名算法"),
        text("There is only `ACS3`.", "目前仅支持 `ACS3`。"),
    )
};

/// The channel `aliyun_sms`.
pub(crate) static SPEAKER: Once = Once { spec: &SPEC, request, judge };

fn check(params: &Params) -> Result<(), Problem> {
    let problem = |detail: &str| Err(Problem::field(Code::InvalidParams, "params.phone_numbers", detail));
    let numbers = params.list(PHONE_NUMBERS.name);
    if numbers.len() > MOST_NUMBERS {
        return problem("it takes at most 1000 numbers");
    }
    if !numbers.iter().all(|number| dialled(number).is_some()) {
        return problem("it takes numbers of 5 to 20 digits; those abroad begin with `+`");
    }
    Ok(())
}

/// A number as Alibaba wants it: those of mainland China without, others with the country's code, none with `+`.
fn dialled(number: &str) -> Option<String> {
    let number: String = number.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let number = number.strip_prefix("+86").or_else(|| number.strip_prefix('+')).unwrap_or(&number);
    let fits = (5..=20).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_digit());
    fits.then(|| number.to_owned())
}

fn phone_numbers(message: &Message, params: &Params) -> Result<String, SendError> {
    let fail = |reason, detail| Err(SendError::new(reason, Retry::Never, detail));
    let numbers = match message.address {
        Some(address) => vec![address.value.clone()],
        None => params.list(PHONE_NUMBERS.name),
    };
    match numbers.iter().map(|number| dialled(number)).collect::<Option<Vec<_>>>() {
        None => fail(Reason::Rejected, "a phone number has other characters than digits; write it as `+8613800000000`"),
        Some(numbers) if numbers.is_empty() => {
            fail(Reason::InvalidParams, "there is no phone number: set `phone_numbers`, or send to `sms:` and a number")
        }
        Some(numbers) => Ok(numbers.join(",")),
    }
}

fn request(cx: &Context, message: &Message, params: &Params) -> Result<Outgoing, SendError> {
    let mut query = vec![
        ("PhoneNumbers", phone_numbers(message, params)?),
        ("SignName", required(params, SIGN_NAME.name)?.to_owned()),
        ("TemplateCode", required(params, TEMPLATE_CODE.name)?.trim().to_owned()),
    ];
    query.extend(template_param(message, params).map(|json| ("TemplateParam", json)));
    // in the order of the names, as it is signed
    let query = query.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect::<Vec<_>>().join("&");
    let mut headers: Vec<(String, String)> = [
        ("host", HOST.to_owned()),
        ("x-acs-action", "SendSms".to_owned()),
        ("x-acs-content-sha256", sign::SHA256_OF_NOTHING.to_owned()),
        ("x-acs-date", cx.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ("x-acs-signature-nonce", cx.nonce("nonce", 32)),
        ("x-acs-version", "2017-05-25".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let id = required(params, ACCESS_KEY_ID.name)?.trim();
    let authorization = sign::acs3(id, required(params, ACCESS_KEY_SECRET.name)?.trim(), &query, &headers);
    headers.push(("authorization".to_owned(), authorization));
    Ok(Outgoing { method: Method::Post, url: format!("https://{HOST}/?{query}"), headers, body: Body::Empty, proxy: None })
}

/// The template's variables as JSON: every value a text, and none with a line break.
fn template_param(message: &Message, params: &Params) -> Option<String> {
    let url = message.url.unwrap_or_default();
    let texts = Texts([("$title", &*message.title), ("$content", &*message.body), ("$url", url)]);
    let fill = |value: &Value| {
        let template = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        texts.plain(&template).replace("\r\n", " ").replace(char::is_control, " ")
    };
    let variables = params.object(PARAMS.name).filter(|variables| !variables.is_empty())?;
    let filled: Map<_, _> = variables.iter().map(|(name, value)| (name.clone(), fill(value).into())).collect();
    Some(Value::Object(filled).to_string())
}

/// <https://help.aliyun.com/zh/sms/developer-reference/api-error-codes>
fn judge(reply: &Reply, now: Timestamp) -> Step {
    let Some(answer) = Answer::of(reply) else { return undocumented(reply, now) };
    let said = answer.text("Message");
    let slow_down = |seconds| Fault::TooFast(Duration::from_secs(seconds));
    let code = answer.text("Code");
    let (fault, advice) = match code {
        "OK" if reply.status == 200 => return Step::Done,
        // minute, hour and day have the same code
        "isv.BUSINESS_LIMIT_CONTROL" if said.contains("分钟") => (slow_down(60), "one number, too many messages in a minute"),
        "isv.BUSINESS_LIMIT_CONTROL" if said.contains("小时") => (slow_down(3600), "one number, too many messages in an hour"),
        "isv.BUSINESS_LIMIT_CONTROL" | "isv.DAY_LIMIT_CONTROL" => (Fault::Message, "today's limit is used up"),
        "Throttling" | "Throttling.User" | "Throttling.Api" => (slow_down(1), "too many requests of the account"),
        "isp.SYSTEM_ERROR" | "ServiceUnavailable" | "InternalError" => (Fault::Theirs, "Alibaba Cloud failed"),
        "SignatureNonceUsed" | "InvalidTimeStamp.Expired" => (Fault::Theirs, "the next attempt has a new date and nonce"),
        "isv.MOBILE_NUMBER_ILLEGAL" | "isv.MOBILE_COUNT_OVER_LIMIT" => (Fault::Message, "check the phone numbers"),
        "isv.SMS_SIGNATURE_ILLEGAL" => (Fault::Message, "the account has no such signature: check `sign_name`"),
        "isv.SMS_TEMPLATE_ILLEGAL" => (Fault::Message, "the account has no such template: check `template_code`"),
        "isv.TEMPLATE_MISSING_PARAMETERS" | "isv.INVALID_JSON_PARAM" => {
            (Fault::Message, "the template has other variables: check `params`")
        }
        "isv.PARAM_LENGTH_LIMIT" | "isv.PARAM_NOT_SUPPORT_URL" | "isv.BLACK_KEY_CONTROL_LIMIT" => {
            (Fault::Message, "a variable has a value that it may not have: check `params`")
        }
        "isv.AMOUNT_NOT_ENOUGH" | "isv.OUT_OF_SERVICE" => (Fault::Message, "the account has no credit left: top it up"),
        "isv.ACCOUNT_ABNORMAL" => (Fault::Credentials, "the account is blocked: ask Alibaba Cloud"),
        "isv.DENY_IP_RANGE" => (Fault::Credentials, "the account accepts other IP addresses only"),
        "isp.RAM_PERMISSION_DENY" => (Fault::Credentials, "the RAM user may not call `SendSms`: grant it"),
        "InvalidAccessKeyId.NotFound" => (Fault::Credentials, "there is no such AccessKey: check `access_key_id`"),
        "SignatureDoesNotMatch" => (Fault::Credentials, "the signature is refused: check `access_key_secret`"),
        "" | "OK" => return undocumented(reply, now),
        throttled if throttled.starts_with("Throttling") => {
            return refused_as("Throttling", &slow_down(1), "too many requests of the account");
        }
        _ if matches!(reply.status, 429 | 500..=599) => return undocumented(reply, now),
        _ => {
            let detail = "the provider answered a code that is not documented; look at the sent messages in its console";
            return Step::Fail(SendError::new(Reason::Rejected, Retry::Never, detail));
        }
    };
    refused_as(code, &fault, advice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample;

    fn given(mut more: Value) -> Params {
        let mut params = json!({"access_key_id": "i", "access_key_secret": "s", "sign_name": "n", "template_code": "SMS_1"});
        params.as_object_mut().unwrap().append(more.as_object_mut().unwrap());
        sample::params(&SPEC, params)
    }

    fn judged(status: u16, body: &Value) -> Step {
        judge(&Reply { status, headers: Vec::new(), body: body.to_string().into_bytes() }, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn variables_are_texts_on_one_line_and_may_be_parts_of_the_message() {
        let job = sample::event("line 1\r\nline \"2\"", json!({"title": "$content"}));
        let params = given(json!({"params": {"a": "$title: $content", "n": 7}}));
        let filled = template_param(&sample::message(&job), &params).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&filled).unwrap(), json!({"a": "$content: line 1 line \"2\"", "n": "7"}));
        assert_eq!(template_param(&sample::message(&job), &given(json!({}))), None);
    }

    #[test]
    fn a_number_that_the_message_names_takes_the_place_of_the_registrations() {
        let mut job = sample::event("b", json!({}));
        let params = given(json!({"phone_numbers": ["13800138000", "+852 6123-4567"]}));
        assert_eq!(phone_numbers(&sample::message(&job), &params).unwrap(), "13800138000,85261234567");
        job.address = Some("sms:+8613900139000".parse().unwrap());
        assert_eq!(phone_numbers(&sample::message(&job), &params).unwrap(), "13900139000");
    }

    #[test]
    fn what_is_no_number_is_refused_without_repeating_it() {
        let check = |numbers: Value| check(&given(json!({"phone_numbers": numbers})));
        assert_eq!(check(json!(["+8613800138000", "85261234567"])), Ok(()));
        assert!(check(json!(["1380013800x"])).is_err() && check(json!(["1"])).is_err());
        assert!(check(json!(vec!["13800138000"; 1001])).is_err());
        let mut job = sample::event("b", json!({}));
        assert_eq!(phone_numbers(&sample::message(&job), &given(json!({}))).unwrap_err().reason, Reason::InvalidParams);
        job.address = Some("sms:1&Action=2".parse().unwrap());
        let error = phone_numbers(&sample::message(&job), &given(json!({}))).unwrap_err();
        assert!(error.reason == Reason::Rejected && !error.detail.contains("Action"), "{error:?}");
    }

    #[test]
    fn every_attempt_has_a_nonce_of_its_own() {
        let job = sample::event("b", json!({}));
        let params = given(json!({"phone_numbers": "13800138000"}));
        let url = |chance| {
            let cx = Context { chance, ..sample::context() };
            request(&cx, &sample::message(&job), &params).map(|outgoing| outgoing.headers).unwrap()
        };
        assert_ne!(url(1), url(2));
        assert_eq!(url(1), url(1));
    }

    #[test]
    fn one_code_is_three_limits() {
        for (said, reason, retry) in [
            ("触发分钟级流控Permits:1", Reason::RateLimited, Retry::After(Duration::from_mins(1))),
            ("触发小时级流控Permits:5", Reason::RateLimited, Retry::After(Duration::from_hours(1))),
            ("触发天级流控Permits:10", Reason::Rejected, Retry::Never),
        ] {
            let Step::Fail(error) = judged(200, &json!({"Code": "isv.BUSINESS_LIMIT_CONTROL", "Message": said})) else {
                panic!()
            };
            assert_eq!((error.reason, error.retry), (reason, retry), "{said}");
            assert!(!error.detail.contains("Permits"), "{}", error.detail);
        }
    }

    #[test]
    fn only_the_code_ok_is_success() {
        assert_eq!(judged(200, &json!({"Code": "OK"})), Step::Done);
        for (status, body, reason, retry) in [
            (200, json!({"Message": "OK"}), Reason::UnexpectedAnswer, Retry::Later),
            (200, json!({"Code": 0}), Reason::UnexpectedAnswer, Retry::Later),
            (500, json!({"Code": "OK"}), Reason::ProviderError, Retry::Later),
            (200, json!({"Code": "isv.NEW_CODE"}), Reason::Rejected, Retry::Never),
            (503, json!({"Code": "NewCode"}), Reason::ProviderError, Retry::Later),
            (400, json!({"Code": "SignatureNonceUsed"}), Reason::ProviderError, Retry::Later),
            (400, json!({"Code": "SignatureDoesNotMatch"}), Reason::Unauthorized, Retry::Never),
            (400, json!({"Code": "Throttling.New"}), Reason::RateLimited, Retry::After(Duration::from_secs(1))),
        ] {
            let Step::Fail(error) = judged(status, &body) else { panic!("{status} {body}") };
            assert_eq!((error.reason, error.retry), (reason, retry), "{status} {body}");
        }
    }
}

//! Signatures over a request's bytes, by which a receiver knows who sent it.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bellhop_core::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Base64 as people paste it: with or without `=` at the end.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The keys of a Standard Webhooks secret; several while a secret is being replaced by its successor.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme>
pub(crate) struct StandardKeys(Vec<Vec<u8>>);

/// The text is no Standard Webhooks secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotASecret;

impl NotASecret {
    /// What is wrong, and what to do.
    pub(crate) const DETAIL: &str = "it takes `whsec_` and the base64 of 24 to 64 bytes (several, separated by a space, \
                                     while one replaces the other); for any other text set `scheme` to `github`";
}

impl StandardKeys {
    /// Reads `whsec_…`, or several of them with spaces in between.
    pub(crate) fn parse(secret: &str) -> Result<Self, NotASecret> {
        let key = |word: &str| {
            let key = BASE64.decode(word.strip_prefix("whsec_")?).ok()?;
            (24..=64).contains(&key.len()).then_some(key)
        };
        let keys: Option<Vec<_>> = secret.split_whitespace().map(key).collect();
        keys.filter(|keys| !keys.is_empty()).map(Self).ok_or(NotASecret)
    }

    /// The value of `webhook-signature`: one signature per key.
    pub(crate) fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let seconds = at.as_second().to_string();
        let sign = |key: &Vec<u8>| {
            let mac = hmac_sha256(key, &[id.as_bytes(), b".", seconds.as_bytes(), b".", body]);
            format!("v1,{}", BASE64.encode(mac))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

/// The value of GitHub's `X-Hub-Signature-256`.
/// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
pub(crate) fn github(secret: &str, body: &[u8]) -> String {
    let mac = hmac_sha256(secret.as_bytes(), &[body]);
    format!("sha256={}", hex(&mac))
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// The `sign` of a DingTalk robot, before it is percent-encoded.
/// <https://open.dingtalk.com/document/robots/customize-robot-security-settings>
pub(crate) fn dingtalk(secret: &str, milliseconds: &str) -> String {
    BASE64.encode(hmac_sha256(secret.as_bytes(), &[milliseconds.as_bytes(), b"\n", secret.as_bytes()]))
}

/// The `sign` of a Feishu robot: what others sign is the key here, and nothing is signed.
/// <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>
pub(crate) fn feishu(secret: &str, seconds: &str) -> String {
    BASE64.encode(hmac_sha256(format!("{seconds}\n{secret}").as_bytes(), &[]))
}

/// The SHA-256 of no bytes, in hexadecimal digits.
pub(crate) const SHA256_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The `authorization` of a POST to Alibaba Cloud with everything in its query and nothing in its body. Query and headers are
/// in the order of their names, which are in lower case; the query is percent-encoded.
/// <https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature>
pub(crate) fn acs3(id: &str, secret: &str, query: &str, headers: &[(String, String)]) -> String {
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let lines = headers.iter().fold(String::new(), |lines, (name, value)| lines + &format!("{name}:{}\n", value.trim()));
    let request = format!("POST\n/\n{query}\n{lines}\n{names}\n{SHA256_OF_NOTHING}");
    let signed = format!("ACS3-HMAC-SHA256\n{}", hex(&Sha256::digest(request)));
    let signature = hex(&hmac_sha256(secret.as_bytes(), &[signed.as_bytes()]));
    format!("ACS3-HMAC-SHA256 Credential={id},SignedHeaders={names},Signature={signature}")
}

/// Of all parts, one behind the other. <https://www.rfc-editor.org/rfc/rfc2104>
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the Standard Webhooks reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn sign(secret: &str, body: &str) -> String {
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let Ok(keys) = StandardKeys::parse(secret) else { panic!("refused") };
        keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body.as_bytes())
    }

    #[test]
    fn the_published_vector_is_met() {
        assert_eq!(sign(SECRET, r#"{"test": 2432232314}"#), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn during_a_rotation_both_secrets_sign() {
        let next = format!("whsec_{}", BASE64.encode([7; 64]));
        let both = sign(&format!("{next} {SECRET}"), "ä");
        assert_eq!(both, format!("{} {}", sign(&next, "ä"), sign(SECRET, "ä")));
    }

    #[test]
    fn a_secret_may_lack_its_padding() {
        let padded = format!("whsec_{}", BASE64.encode([7; 25]));
        assert!(padded.ends_with('='));
        assert_eq!(sign(&padded, "x"), sign(padded.trim_end_matches('='), "x"));
    }

    #[test]
    fn anything_else_is_refused() {
        let short = format!("whsec_{}", BASE64.encode([7; 23]));
        let long = format!("whsec_{}", BASE64.encode([7; 65]));
        let half = format!("{SECRET} next");
        for bad in ["", " ", "plain", "whsec_", "whsec_!!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &short, &long, &half] {
            assert!(StandardKeys::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn githubs_published_vector_is_met() {
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(github("It's a Secret to Everybody", b"Hello, World!"), expected);
    }

    #[test]
    fn robots_sign_as_their_providers_check() {
        assert_eq!(dingtalk("this is secret", "1577262236757"), "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM=");
        assert_eq!(feishu("demo", "1599360473"), "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=");
        assert_eq!(feishu("Vqz0pMeGfTHm6V5xJrYyXc", "1700000000"), "xbsYK9CBzGslWnPeG9jrZbR4yfAtef0VgueNWxq2ZHs=");
    }

    #[test]
    fn alibabas_published_vector_is_met() {
        let headers = [
            ("host", "ecs.cn-shanghai.aliyuncs.com"),
            ("x-acs-action", "RunInstances"),
            ("x-acs-content-sha256", SHA256_OF_NOTHING),
            ("x-acs-date", "2023-10-26T10:22:32Z"),
            ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
            ("x-acs-version", "2014-05-26"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let query = "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai";
        let authorization = acs3("YourAccessKeyId", "YourAccessKeySecret", query, &headers);
        let signature = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0";
        assert!(authorization.ends_with(&format!(",Signature={signature}")), "{authorization}");
    }
}

//! What AWS answers, as the callers of the ports know it. No text holds stored data, a URL or a request's content.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bellhop_core::StoreError;
use serde::{Serialize, de::DeserializeOwned};

/// A call that did not succeed, after the SDK's own retries.
pub(crate) fn unavailable<E: ProvideErrorMetadata, R>(call: &str, error: &SdkError<E, R>) -> StoreError {
    let why = match error {
        SdkError::ConstructionFailure(_) => "the request cannot be built; see that region and credentials are set",
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "no connection, or it broke",
        SdkError::ResponseError(_) => "the answer cannot be read",
        _ => return refused(call, error.code().unwrap_or("no error code")),
    };
    StoreError::Unavailable(format!("`{call}`: {why}"))
}

fn refused(call: &str, code: &str) -> StoreError {
    let advice = match code {
        "AccessDeniedException" | "AccessDenied" => "; the function's role does not allow it",
        "ResourceNotFoundException" | "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" | "NotFoundException" => {
            "; see that the configuration names what is deployed"
        }
        _ => "",
    };
    StoreError::Unavailable(format!("`{call}`: `{code}`{advice}"))
}

/// Something was done in part; the same call again finishes it.
pub(crate) fn unfinished(what: &str) -> StoreError {
    StoreError::Unavailable(what.to_owned())
}

/// Stored data makes no sense. `what` names the kind of thing, never its content.
pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("`{what}`"))
}

/// Reads stored JSON. The error says what and where, but not what was there: that may be a secret.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt(format!("{what}: column {} of its JSON", error.column())))
}

/// Writes JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt("it does not become JSON".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_row_does_not_tell_its_content() {
        let error = parse::<u32>("a key", "\"s3cret\"").unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn a_denied_call_names_itself_and_the_role() {
        let error = refused("PutItem", "AccessDeniedException").to_string();
        assert!(error.contains("PutItem") && error.contains("role"), "{error}");
    }
}

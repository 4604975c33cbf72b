//! The way to Amazon SES from one machine: with the Cargo feature `aws` and the credentials of the environment, or not at all.
//!
//! Promise: where there is no way, a registration on `ses` is refused with the reason, and no message waits for one.

use std::sync::{Arc, OnceLock};

use bellhop_core::{
    Code, Problem,
    channel::{Catalog, Params, Spec},
    ports::Ses,
};

/// With the credentials of the environment.
#[cfg(feature = "aws")]
pub(crate) fn from_environment() -> Result<Arc<dyn Ses>, String> {
    match bellhop_aws::SesEgress::from_environment() {
        Ok(ses) => Ok(ses),
        Err(missing) => Err(format!(
            "there is no way to Amazon SES: set the environment variable `{}` for `bellhop serve`, or use `email` with SES's SMTP \
             interface",
            missing.variable()
        )),
    }
}

/// There is none in this program.
#[cfg(not(feature = "aws"))]
pub(crate) fn from_environment() -> Result<Arc<dyn Ses>, String> {
    let why = "there is no way to Amazon SES: this program was built without the Cargo feature `aws`; build it with \
               `--features aws`, or use `email` with SES's SMTP interface";
    Err(why.to_owned())
}

/// Why there is no way; said once, when the server starts.
static WHY: OnceLock<String> = OnceLock::new();

/// The channels that this server speaks: all, and `ses` only to say why not if there is no way.
pub(crate) fn channels(all: Catalog, why_no_ses: Option<&String>) -> Catalog {
    let Some(why) = why_no_ses else { return all };
    WHY.get_or_init(|| why.clone());
    let instead = |spec: &'static Spec| -> &'static Spec {
        if spec.id == "ses" { Box::leak(Box::new(Spec { check: refuse, ..*spec })) } else { spec }
    };
    let specs = all.specs.iter().copied().map(instead).collect::<Vec<_>>().leak(); // once per process
    let speakers = all.speakers.iter().copied().filter(|channel| channel.spec().id != "ses").collect::<Vec<_>>().leak();
    Catalog { specs, speakers, ..all }
}

fn refuse(_params: &Params) -> Result<(), Problem> {
    let why = WHY.get().map_or("there is no way to Amazon SES", String::as_str);
    Err(Problem::field(Code::InvalidParams, "channel", why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(channels: Catalog, id: &str) -> Result<(), Problem> {
        (channels.get(id).unwrap().check)(&Params::default())
    }

    #[test]
    fn without_a_way_a_registration_is_refused_with_the_reason() {
        let why = "there is none".to_owned();
        let problem = check(channels(bellhop_channels::ALL, Some(&why)), "ses").unwrap_err();
        assert_eq!((problem.field.as_deref(), problem.detail.as_str()), (Some("channel"), "there is none"));
    }

    #[test]
    fn the_other_channels_and_ses_itself_where_there_is_a_way_are_what_they_are() {
        let why = "there is none".to_owned();
        assert_eq!(
            check(channels(bellhop_channels::ALL, Some(&why)), "email").unwrap_err().field.as_deref(),
            Some("params.host")
        );
        assert_eq!(check(channels(bellhop_channels::ALL, None), "ses"), Ok(()));
    }
}

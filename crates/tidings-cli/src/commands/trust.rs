//! `tidings trust`: makes browsers trust the certificates of `--https`, or takes that back.

use serde::Serialize;

use crate::certificates::Authority;
use crate::certificates::trust::{self, Outcome, Step, Store};
use crate::report::{Console, HintedError, Message, Styles, printable};

/// What was done.
#[derive(Debug, Serialize)]
struct Done {
    /// The file with the authority's certificate.
    certificate: String,
    /// Its SHA-256.
    fingerprint: String,
    steps: Vec<Step>,
    #[serde(skip)]
    is_removal: bool,
}

/// Adds this user's authority to these stores, or removes it from them.
pub(crate) fn run(remove: bool, stores: &[Store], console: &Console) -> anyhow::Result<()> {
    let authority = Authority::of_user()?;
    let steps = match remove {
        true => trust::remove(&authority, stores),
        false => trust::add(&authority, stores),
    };
    let all_failed = steps.iter().all(|step| step.outcome == Outcome::Failed);
    let has_failed = all_failed && !(remove && steps.is_empty());
    console.banner(
        "trust",
        &Done {
            certificate: authority.root_file().display().to_string(),
            fingerprint: trust::fingerprint(&authority),
            steps,
            is_removal: remove,
        },
    );
    match has_failed {
        false => Ok(()),
        true => Err(HintedError {
            message: "no store was changed".to_owned(),
            hint: "add the certificate by hand, as told above".to_owned(),
        }
        .into()),
    }
}

impl Message for Done {
    fn text(&self, styles: Styles) -> String {
        let mut lines = Vec::new();
        for step in &self.steps {
            let place = printable(&step.place);
            let done = match step.outcome {
                Outcome::Added => "added to",
                Outcome::Removed => "removed from",
                Outcome::Failed => "not changed:",
            };
            let why = step.why.as_deref().map(|why| format!(": {why}"));
            lines.push(format!("{done} {place}{}", why.unwrap_or_default()));
            if let Some(hint) = &step.hint {
                lines.push(format!("  {}", printable(hint)));
            }
        }
        if self.is_removal {
            if self.steps.is_empty() {
                lines.push("no store has it".to_owned());
            }
            return lines.join("\n");
        }
        let file = printable(&self.certificate);
        lines.push(format!("the certificate is {}", styles.bold(&file)));
        lines.push(styles.dim(&format!("SHA-256 {}", self.fingerprint)));
        lines.push("browsers that are open may have to be restarted. On other devices, copy the file there, and".to_owned());
        lines.push("  Android: Settings, Security, Encryption & credentials, Install a certificate, CA certificate".to_owned());
        lines.push("  iOS: open it, then Settings, Profile Downloaded; then General, About, Certificate Trust Settings".to_owned());
        lines.push(
            "  others: open it, or import it as an authority in the settings of the browser"
                .to_owned(),
        );
        lines.join("\n")
    }
}

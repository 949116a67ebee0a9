//! `/v4/jobs/{name}/why`: what keeps a job as it is, down to a fact.

use serde::{Deserialize, Serialize};

/// The answer to "why is it so?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The job.
    pub job: String,
    /// What is so, and for what reason, as one sentence: `report has not started: it waits for app to be healthy`.
    pub summary: String,
    /// What that comes from.
    pub facts: Vec<Fact>,
}

/// One step of an explanation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    /// What is so, as a sentence.
    pub says: String,
    /// A word that stands before the sentence in a table (`check`, `last`); empty where it stands for itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// What this in turn comes from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Fact>,
}

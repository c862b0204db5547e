//! Owns `JsonType`: what a dynamic artifact is declared to be, where Rust's types don't say it.
//! Refuses to be a schema language: what it can't say, a function that checks can.

use std::fmt;

use selvedge_runtime::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a JSON value is.
///
/// ```
/// use selvedge_reactive::JsonType;
/// use serde_json::json;
///
/// let tags = JsonType::list(JsonType::String);
/// let order = JsonType::object([("id", JsonType::Integer), ("tags", tags)]);
/// assert!(order.check(&json!({"id": 7, "tags": ["new"], "note": null})).is_ok());
/// let error = order.check(&json!({"id": 7, "tags": ["new", 3]})).unwrap_err();
/// assert_eq!(error.to_string(), "`/tags/1` is a number, and not a string");
/// let error = order.check(&json!({"id": 7})).unwrap_err();
/// assert_eq!(error.to_string(), "`/tags` is missing, and should be a list");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum JsonType {
    /// Anything.
    Any,
    /// Nothing.
    Null,
    /// True or false.
    Bool,
    /// A number without a fraction.
    Integer,
    /// A number.
    Number,
    /// Text.
    String,
    /// A list of such.
    List(Box<JsonType>),
    /// An object with these fields; it may have others.
    Object(Vec<(String, JsonType)>),
}

impl JsonType {
    /// A list of such.
    #[must_use]
    pub fn list(of: JsonType) -> JsonType {
        JsonType::List(Box::new(of))
    }

    /// An object with these fields; it may have others.
    #[must_use]
    pub fn object<N: Into<String>>(fields: impl IntoIterator<Item = (N, JsonType)>) -> JsonType {
        JsonType::Object(fields.into_iter().map(|(name, of)| (name.into(), of)).collect())
    }

    /// Whether a value is of this type.
    ///
    /// # Errors
    ///
    /// What is not, by its path.
    pub fn check(&self, value: &Value) -> Result {
        let mut pending = vec![(self, value, String::new())];
        while let Some((wanted, value, path)) = pending.pop() {
            match (wanted, value) {
                (JsonType::List(of), Value::Array(items)) => {
                    let item = |(n, item)| (&**of, item, format!("{path}/{n}"));
                    pending.extend(items.iter().enumerate().map(item).rev());
                }
                (JsonType::Object(fields), Value::Object(found)) => {
                    for (name, wanted) in fields.iter().rev() {
                        let path = format!("{path}/{name}");
                        match found.get(name) {
                            Some(value) => pending.push((wanted, value, path)),
                            None => {
                                anyhow::bail!("`{path}` is missing, and should be {wanted}");
                            }
                        }
                    }
                }
                (wanted, value) if wanted.fits(value) => {}
                (wanted, value) => {
                    let found = word(value);
                    match path.as_str() {
                        "" => anyhow::bail!("it is {found}, and not {wanted}"),
                        path => anyhow::bail!("`{path}` is {found}, and not {wanted}"),
                    }
                }
            }
        }
        Ok(())
    }

    fn fits(&self, value: &Value) -> bool {
        match self {
            JsonType::Any => true,
            JsonType::Null => value.is_null(),
            JsonType::Bool => value.is_boolean(),
            JsonType::Integer => value.is_i64() || value.is_u64(),
            JsonType::Number => value.is_number(),
            JsonType::String => value.is_string(),
            JsonType::List(_) | JsonType::Object(_) => false,
        }
    }
}

fn word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JsonType::Any => "anything",
            JsonType::Null => "null",
            JsonType::Bool => "a boolean",
            JsonType::Integer => "an integer",
            JsonType::Number => "a number",
            JsonType::String => "a string",
            JsonType::List(_) => "a list",
            JsonType::Object(_) => "an object",
        })
    }
}

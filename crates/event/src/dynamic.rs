//! Owns `Dynamic`: an event whose kind, name and value are known only at run time, so that files,
//! brokers and configuration need no Rust types.

use serde_json::Value;

use crate::topic::{Key, Kind, Name};

/// An event made of a kind, a name and a JSON-like value.
///
/// ```
/// use selvedge_event::{Dynamic, Event};
/// let event = Event::new(Dynamic::new("orders", serde_json::json!({"id": 7})).named("order"));
/// assert_eq!(event.to_string(), "orders \"order\"");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dynamic {
    pub(crate) kind: Kind,
    pub(crate) name: Option<Name>,
    pub(crate) key: Option<Key>,
    pub(crate) value: Value,
}

impl Dynamic {
    /// An event of this kind, called like its kind.
    pub fn new(kind: impl Into<Kind>, value: impl Into<Value>) -> Dynamic {
        Dynamic { kind: kind.into(), name: None, key: None, value: value.into() }
    }

    /// Gives it a name of its own.
    #[must_use]
    pub fn named(mut self, name: impl Into<Name>) -> Dynamic {
        self.name = Some(name.into());
        self
    }

    /// Says whom it concerns.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<Key>) -> Dynamic {
        self.key = Some(key.into());
        self
    }
}

/// What a value owns on the heap, near enough for limits in bytes. Iterative: a value can be deep.
pub(crate) fn heap_bytes(value: &Value) -> usize {
    let mut total = 0;
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => total += text.len(),
            Value::Array(items) => {
                total += items.len() * size_of::<Value>();
                pending.extend(items);
            }
            Value::Object(entries) => {
                for (key, value) in entries {
                    total += key.len() + size_of::<(String, Value)>();
                    pending.push(value);
                }
            }
        }
    }
    total
}

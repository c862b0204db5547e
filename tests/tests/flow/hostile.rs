//! Ids and values that nobody in their right mind would use.

use selvedge::flow::{DefinitionProblem, Flow, Request, node};
use serde::{Deserialize, Serialize};

use super::everywhere;

#[test]
fn ids_that_could_be_taken_for_something_else_are_refused() {
    let long = "x".repeat(1_000_000);
    let ids = ["", " ", "a\nb", "a\0", "\u{1b}[31m", "\u{202e}gnp", "a/b", "a[0]", "größe", &long];
    for id in ids {
        let mut flow = Flow::builder("hostile");
        flow.node(id, (), || Ok(1));
        let error = flow.build().unwrap_err();
        assert!(matches!(error.list(), [DefinitionProblem::Topology(_)]), "{id:?}: {error}");
        let told = error.to_string();
        assert!(told.len() < 2_000 && !told.contains(['\0', '\u{1b}', '\u{202e}']), "{told:?}");
    }
}

#[test]
fn texts_of_users_do_not_break_drawings_and_errors() {
    let mut flow = Flow::builder("\"]; end\n</script>\u{202e}");
    let x = flow.parameter::<String>("x");
    flow.node("fails", (x,), |x: &String| -> anyhow::Result<u8> { anyhow::bail!("{x}") });
    let flow = flow.build().unwrap();
    let request =
        Request::new().with("x", "\"]\nend\nclick n0 \"javascript:x\" <b>\u{1b}".to_owned());
    let told = everywhere(&flow, &request, |result| {
        assert!(!result.succeeded());
        let mermaid = result.drawing(&flow).mermaid();
        assert!(!mermaid.contains("<b>"), "{mermaid}");
        format!("{mermaid}\n{}", result.drawing(&flow).dot())
    });
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    assert!(!lines.iter().any(|line| line.starts_with("click") || *line == "end"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told}");
}

/// A value within a value.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Nested(Option<Box<Nested>>);

impl Drop for Nested {
    fn drop(&mut self) {
        let mut inner = self.0.take();
        while let Some(mut nested) = inner {
            inner = nested.0.take();
        }
    }
}

#[test]
fn a_value_that_is_too_deep_fails_the_node_that_made_it() {
    let mut flow = Flow::builder("deep");
    let deep = flow.node("deep", (), || {
        Ok((0..100_000).fold(Nested::default(), |inner, _| Nested(Some(Box::new(inner)))))
    });
    flow.node("after", (deep,), |_: &Nested| Ok(1));
    let flow = flow.build().unwrap();
    let result = flow.run(Request::new()).unwrap();
    let failure = result.failures().next().unwrap().to_string();
    insta::assert_snapshot!(failure, @"node `deep` failed: what it made has no digest: nested deeper than 128 levels, flatten the value");
}

#[test]
fn a_map_of_many_texts_that_look_alike_keeps_them_apart() {
    use selvedge::flow::map;

    // Precomposed and not, with and without a byte order mark, and the empty one.
    let texts = ["é", "e\u{301}", "\u{feff}a", "a", "", "a ", "a\u{200b}"].map(str::to_owned);
    let mut flow = Flow::builder("alike");
    let list = flow.parameter::<Vec<String>>("list");
    let same = flow.add("same", map(list, (), |text: &String| Ok(text.clone())));
    let joined = node((same,), |all: &Vec<String>| Ok(all.join("|")));
    let joined = flow.add("joined", joined);
    let flow = flow.build().unwrap();
    let request = Request::new().with("list", texts.to_vec());
    let told = everywhere(&flow, &request, |result| {
        let items = result.records().iter().filter(|record| record.step.starts_with("same["));
        let mut digests: Vec<_> = items.map(|record| record.outputs[0]).collect();
        digests.sort_unstable();
        digests.dedup();
        format!("{} {}", digests.len(), result.value(joined).unwrap())
    });
    assert_eq!(told, format!("7 {}", texts.join("|")));
}

//! Nodes that belong together by name.

use selvedge::flow::{Flow, Request, node};

use super::{everywhere, story};

/// Three groups, one of them within another, and one that is defined in two places.
fn grouped() -> Flow {
    let mut flow = Flow::builder("grouped");
    let loaded = flow.group("load", |flow| {
        let path = flow.parameter_or("path", "a b".to_owned());
        let text = flow.node("text", (path,), |path: &String| Ok(path.clone()));
        let words = flow.group("words", |flow| {
            let words = flow.node("all", (text,), |text: &String| {
                Ok(text.split(' ').map(str::to_owned).collect::<Vec<_>>())
            });
            flow.node("n", (words,), |words: &Vec<String>| Ok(words.len()))
        });
        (words, flow.node("bytes", (text,), |text: &String| Ok(text.len())))
    });
    let (words, bytes) = loaded;
    let shown = flow.group("show", |flow| {
        flow.node("ratio", (words, bytes), |n: &usize, bytes: &usize| Ok(*bytes / *n))
    });
    flow.group("load", |flow| flow.node("size", (bytes,), |bytes: &usize| Ok(*bytes)));
    flow.node("end", (shown,), |ratio: &usize| Ok(ratio.to_string()));
    flow.build().unwrap()
}

#[test]
fn a_group_is_asked_for_by_name() {
    let flow = grouped();
    let asked = |id: &str| everywhere(&flow, &Request::new().only([id]), story);
    insta::assert_snapshot!(asked("load.words"), @r"
    param:path: succeeded
    load.text: succeeded
    load.words.all: succeeded
    load.words.n: succeeded
    load.bytes: did not run
    show.ratio: did not run
    load.size: did not run
    end: did not run
    run succeeded
    ");
    insta::assert_snapshot!(asked("load"), @r"
    param:path: succeeded
    load.text: succeeded
    load.words.all: succeeded
    load.words.n: succeeded
    load.bytes: succeeded
    show.ratio: did not run
    load.size: succeeded
    end: did not run
    run succeeded
    ");
    let error = flow.run(Request::new().only(["lode"])).unwrap_err();
    insta::assert_snapshot!(error, @"flow `grouped` has no node `lode` to ask for");
}

#[test]
fn groups_are_boxes_in_drawings() {
    let flow = grouped();
    insta::assert_snapshot!(flow.drawing().mermaid(), @r#"
    flowchart TB
        n0(["param#58;path"])
        n7["end"]
        subgraph g0 ["load"]
            n1["load.text"]
            n4["load.bytes"]
            n6["load.size"]
            subgraph g1 ["words"]
                n2["load.words.all"]
                n3["load.words.n"]
            end
        end
        subgraph g2 ["show"]
            n5["show.ratio"]
        end
        n0 --> n1
        n1 --> n2
        n2 --> n3
        n1 --> n4
        n3 --> n5
        n4 --> n5
        n4 --> n6
        n5 --> n7
    "#);
    assert_eq!(flow.drawing().dot().matches("subgraph").count(), 3);
}

#[test]
fn groups_that_can_not_be_are_told() {
    let mut flow = Flow::builder("grouped");
    flow.node("a.b", (), || Ok(1));
    flow.group("a", |flow| flow.group("b", |flow| flow.node("c", (), || Ok(1))));
    flow.group("empty", |_| ());
    flow.group("\"]\nend", |flow| flow.add("x", node((), || Ok(1))));
    let error = flow.build().unwrap_err().to_string();
    let told: Vec<String> = error
        .lines()
        .map(|line| {
            let words = line.split(' ');
            let words = words.map(|word| if word.contains(".rs:") { "PLACE" } else { word });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    the flow can't be built, 4 problems
    - node `"]\nend.x` at PLACE has a malformed name: `"` (byte 0) is not allowed in a name; call it `end.x`, for example
    - group `a.b` at PLACE can't be: a node is called so
    - group `empty` at PLACE can't be: there is no node in it
    - group `\"]\nend` at PLACE can't be: `"` (byte 0) is not allowed in a name
    "#);
}

#[test]
fn many_groups_are_as_quick_as_few() {
    let mut flow = Flow::builder("many");
    for n in 0..20_000 {
        flow.group(&format!("g{n}"), |flow| flow.node("x", (), || Ok(1)));
    }
    let flow = flow.build().unwrap();
    assert_eq!(flow.topology().nodes().count(), 20_000);
    assert!(flow.run(Request::new().only(["g19999"])).unwrap().succeeded());
}

//! No name breaks out of a drawing, or hides in a message.

use insta::assert_snapshot;
use proptest::prelude::*;
use selvedge_topology::{Class, Drawing, NameRules, Shape, Topology};

const HOSTILE: [&str; 24] = [
    "end",
    "\"] --> evil[\"",
    "\"; evil -> n0; \"",
    "a\nb\r\nsubgraph x",
    "`**bold**`",
    "<script>alert(1)</script>",
    "<br/><img src=x onerror=alert(1)>",
    "&lt;b&gt; &quot; #quot; #35;",
    "style n0 fill:#f00;",
    "classDef ok fill:#f00;",
    "%%{init: {\"theme\": \"dark\"}}%%",
    "]})|>)}])",
    "\\",
    "\\\"",
    "\\N \\G \\l",
    "click n0 \"javascript:alert(1)\"",
    " ",
    "\u{200b}",
    "\u{202e}live\u{202c}",
    "\u{1b}[31mred\u{1b}[0m",
    "\0",
    "1. one",
    "größe 日本 🚀 e\u{301}",
    "{{x}} ${x} $(x) @{x: y}",
];

/// Nodes with these names; the texts of everything else too.
fn with_texts(texts: &[String]) -> Topology {
    let title = &texts[0];
    let mut builder = Topology::builder(title).names(NameRules::free());
    let group = builder.group(&[title, &texts[texts.len() - 1]]);
    let shapes = [Shape::Rectangle, Shape::Stack, Shape::Diamond];
    let mut last = None;
    for (n, text) in texts.iter().enumerate() {
        let node = builder.node(text).kind(text).shape(shapes[n % 3]).within(group).index();
        if let Some(last) = last.replace(node) {
            builder.link(last, node).label(text);
            builder.link(node, last).feedback(&format!("{text}."));
        }
    }
    builder.build().expect("the names differ and aren't empty")
}

fn forms(topology: &Topology, texts: &[String]) -> [String; 3] {
    let mut drawing = Drawing::of(topology);
    for (node, text) in topology.nodes().zip(texts) {
        drawing.class(node, Class::Ok).note(node, text);
    }
    [drawing.mermaid(), drawing.dot(), drawing.tree()]
}

/// What stands outside of quotes; a backslash in quotes takes the next character with it.
fn outside_quotes(form: &str, has_escapes: bool) -> String {
    let mut out = String::new();
    let mut is_inside = false;
    let mut chars = form.chars();
    while let Some(c) = chars.next() {
        if c == '"' {
            is_inside = !is_inside;
        }
        if is_inside && has_escapes && c == '\\' {
            chars.next();
        }
        assert!(!(is_inside && c == '\n'), "a line ends inside quotes: {form}");
        if !is_inside {
            out.push(c);
        }
    }
    assert!(!is_inside, "a quote is left open: {form}");
    out
}

/// A drawing of hostile texts has the same bones as one of harmless texts.
fn assert_tame(texts: &[String]) {
    let harmless: Vec<String> = (0..texts.len()).map(|n| format!("name{n}")).collect();
    let [mermaid, dot, tree] = forms(&with_texts(texts), texts);
    let [mermaid_bones, dot_bones, tree_bones] = forms(&with_texts(&harmless), &harmless);
    assert_eq!(outside_quotes(&mermaid, false), outside_quotes(&mermaid_bones, false));
    assert_eq!(outside_quotes(&dot, true), outside_quotes(&dot_bones, true));
    for form in [&mermaid, &dot, &tree] {
        let is_hidden = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        };
        assert!(!form.contains(is_hidden), "{form:?}");
    }
    // Every label is seen: none is empty or blank.
    assert!(!mermaid.contains("\"\"") && !dot.contains("=\"\""));
    assert!(tree.lines().count() >= tree_bones.lines().count());
}

#[test]
fn a_collection_of_nasty_names_is_tame() {
    assert_tame(&HOSTILE.map(str::to_owned));
}

fn nasty() -> Topology {
    let mut builder = Topology::builder("nasty").names(NameRules::free());
    for text in HOSTILE {
        builder.node(text);
    }
    builder.build().expect("names differ")
}

#[test]
fn nasty_names_in_mermaid() {
    assert_snapshot!(Drawing::of(&nasty()).mermaid(), @r##"
    flowchart TB
        n0["end"]
        n1["#34;#93; #45;#45;#62; evil#91;#34;"]
        n2["#34;#59; evil #45;#62; n0#59; #34;"]
        n3["a#92;nb#92;r#92;nsubgraph x"]
        n4["#96;#42;#42;bold#42;#42;#96;"]
        n5["#60;script#62;alert#40;1#41;#60;#47;script#62;"]
        n6["#60;br#47;#62;#60;img src#61;x onerror#61;alert#40;1#41;#62;"]
        n7["#38;lt#59;b#38;gt#59; #38;quot#59; #35;quot#59; #35;35#59;"]
        n8["style n0 fill#58;#35;f00#59;"]
        n9["classDef ok fill#58;#35;f00#59;"]
        n10["#37;#37;#123;init#58; #123;#34;theme#34;#58; #34;dark#34;#125;#125;#37;#37;"]
        n11["#93;#125;#41;#124;#62;#41;#125;#93;#41;"]
        n12["#92;"]
        n13["#92;#34;"]
        n14["#92;N #92;G #92;l"]
        n15["click n0 #34;javascript#58;alert#40;1#41;#34;"]
        n16["#9251;"]
        n17["#92;u#123;200b#125;"]
        n18["#92;u#123;202e#125;live#92;u#123;202c#125;"]
        n19["#92;u#123;1b#125;#91;31mred#92;u#123;1b#125;#91;0m"]
        n20["#92;u#123;0#125;"]
        n21["1#46; one"]
        n22["größe 日本 #128640; e#769;"]
        n23["#123;#123;x#125;#125; #36;#123;x#125; #36;#40;x#41; #64;#123;x#58; y#125;"]
    "##);
}

#[test]
fn nasty_names_in_dot() {
    assert_snapshot!(Drawing::of(&nasty()).dot(), @r##"
    digraph "nasty" {
        n0 [label="end", shape=box];
        n1 [label="\"] --> evil[\"", shape=box];
        n2 [label="\"; evil -> n0; \"", shape=box];
        n3 [label="a\\nb\\r\\nsubgraph x", shape=box];
        n4 [label="`**bold**`", shape=box];
        n5 [label="<script>alert(1)</script>", shape=box];
        n6 [label="<br/><img src=x onerror=alert(1)>", shape=box];
        n7 [label="&amp;lt;b&amp;gt; &amp;quot; #quot; #35;", shape=box];
        n8 [label="style n0 fill:#f00;", shape=box];
        n9 [label="classDef ok fill:#f00;", shape=box];
        n10 [label="%%{init: {\"theme\": \"dark\"}}%%", shape=box];
        n11 [label="]})|>)}])", shape=box];
        n12 [label="\\", shape=box];
        n13 [label="\\\"", shape=box];
        n14 [label="\\N \\G \\l", shape=box];
        n15 [label="click n0 \"javascript:alert(1)\"", shape=box];
        n16 [label="␣", shape=box];
        n17 [label="\\u{200b}", shape=box];
        n18 [label="\\u{202e}live\\u{202c}", shape=box];
        n19 [label="\\u{1b}[31mred\\u{1b}[0m", shape=box];
        n20 [label="\\u{0}", shape=box];
        n21 [label="1. one", shape=box];
        n22 [label="größe 日本 🚀 é", shape=box];
        n23 [label="{{x}} ${x} $(x) @{x: y}", shape=box];
    }
    "##);
}

#[test]
fn nasty_names_in_a_tree() {
    assert_snapshot!(Drawing::of(&nasty()).tree(), @r##"
    end
    "] --> evil["
    "; evil -> n0; "
    a\nb\r\nsubgraph x
    `**bold**`
    <script>alert(1)</script>
    <br/><img src=x onerror=alert(1)>
    &lt;b&gt; &quot; #quot; #35;
    style n0 fill:#f00;
    classDef ok fill:#f00;
    %%{init: {"theme": "dark"}}%%
    ]})|>)}])
    \
    \"
    \N \G \l
    click n0 "javascript:alert(1)"
    ␣
    \u{200b}
    \u{202e}live\u{202c}
    \u{1b}[31mred\u{1b}[0m
    \u{0}
    1. one
    größe 日本 🚀 é
    {{x}} ${x} $(x) @{x: y}
    "##);
}

#[test]
fn messages_show_what_is_hidden() {
    let mut builder = Topology::builder("\u{1b}[2J").names(NameRules::free());
    builder.node("a\u{202e}b");
    builder.node("a\u{202e}b");
    builder.edge("\0", "a`b\n");
    let message = builder.build().unwrap_err().to_string();
    assert!(!message.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')));
    assert!(message.starts_with(r"`\u{1b}[2J` can't be built, 3 problems"), "{message}");
    assert!(message.contains(r"node `a\u{202e}b` is defined twice"), "{message}");
    assert!(message.contains(r"the edge from `\u{0}` to `a`b\n`"), "{message}");
}

const SPECIAL: &str = "[\"\\\\\\[\\]{}()|<>#&;:%`\\-=. \nend]{1,10}";

proptest! {
    #[test]
    fn any_names(texts in proptest::collection::btree_set("(?s).{1,12}", 1..8)) {
        assert_tame(&texts.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn names_of_special_characters(
        texts in proptest::collection::btree_set(SPECIAL, 1..8),
    ) {
        assert_tame(&texts.into_iter().collect::<Vec<_>>());
    }
}

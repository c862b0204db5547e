//! The digests of a flow as `docs/digest.md` has them: who stores them finds them again with every
//! later version.

use selvedge_event::{Digest, Text};

use crate::journal::memo_key;
use crate::outcome::{Cause, Failure, Skip};
use crate::{Flow, FlowBuilder, Node, Request, constant, node};

const DOCUMENT: &str = include_str!("../../../docs/digest.md");

fn of(value: &impl serde::Serialize) -> Digest {
    Digest::of(value).expect("it has a digest")
}

/// What the document says of the flow, with differences.
struct Till {
    flow: &'static str,
    id: &'static str,
    version: &'static str,
    constant: u32,
    also: fn(&mut FlowBuilder, Node<u32>),
}

const TILL: Till = Till { flow: "till", id: "taxed", version: "1", constant: 119, also: |_, _| {} };

fn till(till: &Till) -> Flow {
    let mut flow = Flow::builder(till.flow);
    let price = flow.parameter::<u32>("price");
    let taxes = |price: &u32, rate: &u32| Ok(price * rate / 100);
    let taxed = node((price, constant(till.constant)), taxes);
    let taxed = flow.add(till.id, taxed.version("till::taxed", till.version));
    let label = node((taxed,), |cents: &u32| Ok(format!("{cents} cents")));
    flow.add("label", label.version("till::label", "2"));
    (till.also)(&mut flow, taxed);
    flow.build().expect("it is sound")
}

#[test]
fn the_document_has_the_digests_of_a_flow() {
    let flow = till(&TILL);
    let result = flow.run(Request::new().with("price", 200_u32)).expect("it is given its price");
    let mut lines = Vec::new();
    for record in result.records() {
        lines.push(format!("value of {:<15} {}", record.step, record.outputs[0]));
    }
    let taxed = &result.records()[1];
    lines.push(format!("signature of taxed       {}", taxed.signature));
    let inputs = [(Text::from("param:price"), taxed.inputs[0].digest)];
    let key = memo_key(&taxed.signature, &inputs).expect("it has a digest");
    lines.push(format!("memo key of taxed        {key}"));
    lines.push(format!("definition               {}", flow.digest()));
    let failure = Failure::new(Text::from("taxed"), Cause::Error, "no answer".to_owned());
    lines.push(format!("failure of taxed         {}", of(&failure)));
    lines.push(format!("closed gate              {}", of(&Skip::GateClosed)));
    let block = lines.join("\n");
    assert!(DOCUMENT.contains(&block), "not in docs/digest.md:\n{block}");
}

#[test]
fn a_definition_is_another_when_it_does_something_else() {
    let same = till(&TILL).digest();
    let renamed = till(&Till { flow: "shop", ..TILL });
    assert_eq!(renamed.digest(), same, "a flow's name changes nothing");
    let others = [
        Till { id: "gross", ..TILL },
        Till { version: "2", ..TILL },
        Till { constant: 120, ..TILL },
        Till { also: |flow, taxed| _ = flow.node("n", (taxed,), |n: &u32| Ok(*n)), ..TILL },
        Till { also: |flow, taxed| _ = flow.gate("n", taxed, |_| Ok(true)), ..TILL },
        Till {
            also: |flow, taxed| {
                flow.add("n", node((taxed,), |n: &u32| Ok(*n)).optional());
            },
            ..TILL
        },
        Till {
            also: |flow, taxed| {
                flow.add("n", node((taxed,), |n: &u32| Ok(*n)).require_all_parents());
            },
            ..TILL
        },
    ];
    let mut digests: Vec<Digest> = others.iter().map(|other| till(other).digest()).collect();
    digests.push(same);
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), others.len() + 1);
}

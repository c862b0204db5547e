//! What `#[node]` writes, and what it refuses.

use insta::assert_snapshot;
use proc_macro2::TokenStream;

use super::expand;

fn tokens(code: &str) -> TokenStream {
    code.parse().expect("the test's code is made of tokens")
}

fn check(code: &str) -> String {
    let expanded = expand(tokens("crate = selvedge, version = \"1\""), &tokens(code));
    prettyplease::unparse(&syn::parse2(expanded).expect("what is generated is Rust"))
}

fn error(options: &str, code: &str) -> String {
    let expanded = expand(tokens(options), &tokens(code));
    let file: syn::File = syn::parse2(expanded).expect("what is generated is Rust");
    let message = |item: &syn::Item| match item {
        syn::Item::Macro(error) => error.mac.parse_body::<syn::LitStr>().ok(),
        _ => None,
    };
    file.items.iter().find_map(message).map(|message| message.value()).unwrap_or_default()
}

#[test]
fn a_function_becomes_one_that_gives_a_node() {
    assert_snapshot!(check("
        /// Adds tax.
        #[inline]
        pub fn taxed(price: &u64, rate: &f64) -> Result<u64> {
            Ok((*price as f64 * rate) as u64)
        }
    "), @r#"
    /// Adds tax.
    pub fn taxed(
        price: impl selvedge::flow::Reads<u64>,
        rate: impl selvedge::flow::Reads<f64>,
    ) -> selvedge::flow::NodeSpec<u64> {
        #[allow(clippy::ptr_arg, reason = "a node reads the very value that another made")]
        #[inline]
        fn taxed(price: &u64, rate: &f64) -> Result<u64> {
            Ok((*price as f64 * rate) as u64)
        }
        selvedge::flow::node(
                (
                    selvedge::flow::Input::called(
                        selvedge::flow::Reads::reads(price),
                        "price",
                    ),
                    selvedge::flow::Input::called(selvedge::flow::Reads::reads(rate), "rate"),
                ),
                |price: &u64, rate: &f64| -> selvedge::flow::generated::Result<u64> {
                    selvedge::flow::generated::made(taxed(price, rate))
                },
            )
            .signed(
                selvedge::flow::generated::Signature::of_version(
                    ::core::concat!(
                        ::core::env!("CARGO_PKG_NAME"), "::", ::core::stringify!(taxed)
                    ),
                    "1",
                ),
            )
    }
    "#);
    assert_snapshot!(check("
        fn told(run: &RunInfo, price: Outcome<&u64>) {}
    "), @r#"
    fn told(price: selvedge::flow::Node<u64>) -> selvedge::flow::NodeSpec<()> {
        #[allow(clippy::ptr_arg, reason = "a node reads the very value that another made")]
        fn told(run: &RunInfo, price: Outcome<&u64>) {}
        selvedge::flow::node(
                (
                    selvedge::flow::run_info(),
                    selvedge::flow::Input::called(
                        selvedge::flow::Node::outcome(price),
                        "price",
                    ),
                ),
                |
                    run: &RunInfo,
                    price: Outcome<&u64>,
                | -> selvedge::flow::generated::Result<()> {
                    ::core::result::Result::Ok(told(run, price))
                },
            )
            .signed(
                selvedge::flow::generated::Signature::of_version(
                    ::core::concat!(
                        ::core::env!("CARGO_PKG_NAME"), "::", ::core::stringify!(told)
                    ),
                    "1",
                ),
            )
    }
    "#);
}

#[test]
fn what_a_node_can_not_be_made_of_is_refused() {
    let told = [
        error("crate = selvedge", "struct X;"),
        error("crate = selvedge", "async fn x() {}"),
        error("crate = selvedge", "unsafe fn x() {}"),
        error("crate = selvedge", "fn x<T>(t: &T) {}"),
        error("crate = selvedge", "fn x(&self) {}"),
        error("crate = selvedge", "fn x((a, b): &(u8, u8)) {}"),
        error("crate = selvedge", "fn x(a: u8) {}"),
        error("crate = selvedge", "fn x(a: &mut u8) {}"),
        error("crate = selvedge", "fn x(a: Outcome<u8>) {}"),
        error("crate = selvedge", "fn x(a: &str) {}"),
        error("crate = selvedge", "fn x(a: &[u8]) {}"),
        error(
            "crate = selvedge",
            "fn x(a: &A, b: &A, c: &A, d: &A, e: &A, f: &A, g: &A, h: &A, i: &A) {}",
        ),
        error("crate = selvedge, cached", "fn x() {}"),
        error("crate = selvedge, version = \"1\", version = \"2\"", "fn x() {}"),
    ];
    assert_snapshot!(told.join("\n"), @r"
    `#[node]` belongs on a function
    a node is a plain function: it runs on a thread of its own time
    a node is called by whoever has its inputs: it must be safe
    a node has inputs of known types: write one function for each
    a node is a function, not a method
    an input bears the name of its parameter: write a plain name
    a node reads values by reference: `&T`, what the run is as `&RunInfo`, what became of a parent as `Outcome<&T>`
    a node reads values by reference: `&T`, what the run is as `&RunInfo`, what became of a parent as `Outcome<&T>`
    a node reads values by reference: `&T`, what the run is as `&RunInfo`, what became of a parent as `Outcome<&T>`
    what flows between nodes owns what it holds: read a `&String`
    what flows between nodes owns what it holds: read a `&Vec<…>`
    a node reads 8 inputs at most: gather some in a struct
    unknown option: `#[node]` knows `crate`, `version` and `uses`
    this option is given twice
    ");
}

#[test]
fn what_a_node_uses_is_named_or_stands_in_a_version() {
    let told = [
        error("crate = selvedge, version = \"1\", uses(f)", "fn x() {}"),
        error("crate = selvedge, uses(f), uses(g)", "fn x() {}"),
        error("crate = selvedge, uses(f())", "fn x() {}"),
    ];
    assert_snapshot!(told.join("\n"), @r"
    a declared `version` stands for all that is used, too: keep one of the two
    this option is given twice
    expected `,`
    ");
}

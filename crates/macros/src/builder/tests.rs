//! What `#[builder]` refuses, and what its code is known by.

use insta::assert_snapshot;
use proc_macro2::TokenStream;

use super::expand;

fn tokens(code: &str) -> TokenStream {
    code.parse().expect("the test's code is made of tokens")
}

/// The first error, or what is generated.
fn check(options: &str, code: &str) -> String {
    let expanded = expand(tokens(&format!("crate = selvedge, {options}")), &tokens(code));
    let file: syn::File = syn::parse2(expanded).expect("what is generated is Rust");
    let message = |item: &syn::Item| match item {
        syn::Item::Macro(error) => error.mac.parse_body::<syn::LitStr>().ok(),
        _ => None,
    };
    let error = file.items.iter().find_map(message);
    error.map_or_else(|| prettyplease::unparse(&file), |error| error.value())
}

#[test]
fn a_function_becomes_one_that_gives_a_builder() {
    let options = r#"provides = "sums", requires = ["names", "*pairs"], version = "1""#;
    let code = "fn sum(name: &String, a: &u64, b: &u64) -> Result<Vec<u64>> { unreachable!() }";
    assert_snapshot!(check(options, code), @r#"
    fn sum() -> selvedge::reactive::Builder<
        impl selvedge::reactive::Build<Arguments = (String, u64, u64), Made = u64>,
    > {
        fn sum(name: &String, a: &u64, b: &u64) -> Result<Vec<u64>> {
            unreachable!()
        }
        selvedge::reactive::builder(
                selvedge::reactive::Target::<u64>::new("sums"),
                (
                    selvedge::reactive::Target::<String>::new("names"),
                    selvedge::reactive::Target::<(u64, u64)>::new("pairs").spread(),
                ),
                sum,
            )
            .signed(
                selvedge::reactive::generated::Signature::of_version(
                    ::core::concat!(
                        ::core::env!("CARGO_PKG_NAME"), "::", ::core::stringify!(sum)
                    ),
                    "1",
                ),
            )
    }
    "#);
}

#[test]
fn what_can_not_be_a_builder_is_refused() {
    let errors = [
        ("", "fn f() {}"),
        (r#"provides = "x", requires = ["a"]"#, "fn f() {}"),
        (r#"provides = "x", requires = ["a"]"#, "fn f(a: u64) {}"),
        (r#"provides = "x", requires = ["*a", "*b"]"#, "fn f(a: &u64, b: &u64) {}"),
        (r#"provides = "x", needs = ["a"]"#, "fn f() {}"),
        (r#"provides = "x", provides = "y""#, "fn f() {}"),
        (r#"provides = "x""#, "async fn f() {}"),
        (r#"provides = "x""#, "fn f<T>() {}"),
        (r#"provides = "x""#, "fn f() -> impl Iterator<Item = u64> {}"),
        (r#"provides = "x""#, "struct X;"),
        (r#"provides = "x""#, "impl X {}"),
        (r#"provides = "x""#, "impl Build for X {}"),
    ];
    let told: Vec<String> = errors.iter().map(|(options, code)| check(options, code)).collect();
    assert_snapshot!(told.join("\n"), @r#"
    say what is built: `#[builder(provides = "x", requires = ["a", "b"])]`
    1 requirements are listed for 0 arguments: each is one, and a starred one ("*name") takes the rest
    an artifact is read by reference: write `&T`
    of several starred requirements nothing says which takes how many arguments: add the builder with `builder(…)` and `target.spread()`
    unknown option: `#[builder]` knows `provides`, `requires`, `version`, `uses` and `crate`
    this option is given twice
    a builder is a plain function: its turn is on a worker
    a builder has artifacts of known types: write one function for each
    what is built has a type with a name: return a `Vec`, or add the builder with `builder(…)`
    `#[builder]` belongs on a function or on an `impl Build for X`
    `#[builder]` reads an `impl Build for X`: put it on that block
    say what it is built from in this block: `type Arguments = (u64, String);`
    "#);
}

//! Owns the tuple that a `match` over the event is lowered to: one column per question asked.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, Path};

/// The questions that the arms of one `match` ask the event, each asked once.
pub(super) struct Columns<'a> {
    event: &'a Ident,
    event_crate: &'a TokenStream,
    questions: Vec<(String, TokenStream)>,
}

/// What one alternative of an arm wants a column to be.
#[derive(Clone)]
pub(super) struct Cell {
    column: usize,
    pattern: TokenStream,
}

impl<'a> Columns<'a> {
    pub(super) fn new(event: &'a Ident, event_crate: &'a TokenStream) -> Columns<'a> {
        Columns { event, event_crate, questions: Vec::new() }
    }

    /// The path of `selvedge-event`.
    pub(super) fn event_crate(&self) -> &'a TokenStream {
        self.event_crate
    }

    /// Wants the payload to be this type, and to match `pattern`.
    pub(super) fn payload(&mut self, ty: &Path, pattern: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote!(#event_crate::Event::payload::<#ty>(#event));
        self.cell(question, quote!(::core::option::Option::Some(#pattern)))
    }

    /// Wants the event itself to match, usually to bind it.
    pub(super) fn event(&mut self, pattern: TokenStream) -> Cell {
        let event = self.event;
        self.cell(quote!(#event), pattern)
    }

    /// Wants the event to be of a kind, or to extend it.
    pub(super) fn is_kind(&mut self, kind: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote!(#event_crate::payload::generated::is_kind(#event, #kind));
        self.cell(question, quote!(true))
    }

    /// Wants the event to carry this key.
    pub(super) fn has_key(&mut self, key: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote! {
            #event_crate::Event::key(#event) == ::core::option::Option::Some(#key)
        };
        self.cell(question, quote!(true))
    }

    /// Wants the kind, as a `&str`, to match.
    pub(super) fn kind(&mut self, pattern: TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        self.cell(quote!(#event_crate::Event::kind(#event).as_str()), pattern)
    }

    /// Wants the name, as a `&str`, to match.
    pub(super) fn name(&mut self, pattern: TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        self.cell(quote!(#event_crate::Event::name(#event).as_str()), pattern)
    }

    /// Wants a key that matches.
    pub(super) fn key(&mut self, pattern: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote!(#event_crate::Event::key(#event).as_ref());
        self.cell(question, quote!(::core::option::Option::Some(#pattern)))
    }

    /// Wants a dynamic value that matches.
    pub(super) fn value(&mut self, pattern: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote!(#event_crate::Event::value(#event));
        self.cell(question, quote!(::core::option::Option::Some(#pattern)))
    }

    fn cell(&mut self, question: TokenStream, pattern: TokenStream) -> Cell {
        let key = question.to_string();
        let column = self.questions.iter().position(|(asked, _)| *asked == key);
        let column = column.unwrap_or_else(|| {
            self.questions.push((key, question));
            self.questions.len() - 1
        });
        Cell { column, pattern }
    }

    /// What stands in place of the event after `match`.
    pub(super) fn scrutinee(&self) -> TokenStream {
        let questions = self.questions.iter().map(|(_, question)| question);
        quote!((#(#questions,)*))
    }

    /// The pattern over all columns that wants these cells, and nothing of the others. Errors
    /// about it point at `place`.
    pub(super) fn pattern(&self, cells: &[Cell], place: Span) -> TokenStream {
        // The place is the user's, but the code is not: lints must not take it for theirs.
        let place = place.resolved_at(Span::call_site());
        let Some(width) = cells.iter().map(|cell| cell.column + 1).max() else {
            return quote_spanned!(place=> _);
        };
        let columns =
            (0..width).map(|column| match cells.iter().find(|cell| cell.column == column) {
                Some(cell) => cell.pattern.clone(),
                None => quote!(_),
            });
        let rest = (width < self.questions.len()).then(|| quote!(..));
        quote_spanned!(place=> (#(#columns,)* #rest))
    }
}

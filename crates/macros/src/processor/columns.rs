//! Owns the tuple that a `match` over the event is lowered to: one column per question asked.

use std::mem;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ExprMatch, Ident, Path};

/// Up to so many payload types the event is asked for each, beyond it once for all: both take about
/// 11 ns for 3 types, but for 6 it is 20 ns against 16, for 12 it is 34 against 19.
const DIRECT_MAX: usize = 3;

/// The questions that the arms of one `match` ask the event, each asked once.
pub(super) struct Columns<'a> {
    event: &'a Ident,
    event_crate: &'a TokenStream,
    questions: Vec<(String, Question)>,
}

/// One column: what is asked of the event.
enum Question {
    Payload(Path),
    Other(TokenStream),
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
        let pattern = quote!(::core::option::Option::Some(#pattern));
        self.cell(ty.to_token_stream().to_string(), Question::Payload(ty.clone()), pattern)
    }

    /// Wants the event itself to match, usually to bind it.
    pub(super) fn event(&mut self, pattern: TokenStream) -> Cell {
        let event = self.event;
        self.other(quote!(#event), pattern)
    }

    /// Wants the event to be of a kind, or to extend it.
    pub(super) fn is_kind(&mut self, kind: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote!(#event_crate::payload::generated::is_kind(#event, #kind));
        self.other(question, quote!(true))
    }

    /// Wants the event to carry this key.
    pub(super) fn has_key(&mut self, key: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote! {
            #event_crate::Event::key(#event) == ::core::option::Option::Some(#key)
        };
        self.other(question, quote!(true))
    }

    /// Wants the kind, as a `&str`, to match.
    pub(super) fn kind(&mut self, pattern: TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        self.other(quote!(#event_crate::Event::kind(#event).as_str()), pattern)
    }

    /// Wants the name, as a `&str`, to match.
    pub(super) fn name(&mut self, pattern: TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        self.other(quote!(#event_crate::Event::name(#event).as_str()), pattern)
    }

    /// Wants a key that matches.
    pub(super) fn key(&mut self, pattern: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote!(#event_crate::Event::key(#event).as_ref());
        self.other(question, quote!(::core::option::Option::Some(#pattern)))
    }

    /// Wants a dynamic value that matches.
    pub(super) fn value(&mut self, pattern: &TokenStream) -> Cell {
        let (event, event_crate) = (self.event, self.event_crate);
        let question = quote!(#event_crate::Event::value(#event));
        self.other(question, quote!(::core::option::Option::Some(#pattern)))
    }

    fn other(&mut self, question: TokenStream, pattern: TokenStream) -> Cell {
        self.cell(question.to_string(), Question::Other(question), pattern)
    }

    fn cell(&mut self, text: String, question: Question, pattern: TokenStream) -> Cell {
        let column = self.questions.iter().position(|(asked, _)| *asked == text);
        let column = column.unwrap_or_else(|| {
            self.questions.push((text, question));
            self.questions.len() - 1
        });
        Cell { column, pattern }
    }

    /// Completes a `match` whose arms have their patterns over the columns already.
    ///
    /// An event that is matched against many payload types is asked once what it holds, in a
    /// `match` around the other: a block would drop too early what other columns borrow from.
    pub(super) fn scrutinize(&self, found: &mut ExprMatch) -> Option<Expr> {
        let (event, event_crate) = (self.event, self.event_crate);
        let is_payload = |(_, question): &&(_, Question)| matches!(question, Question::Payload(_));
        let asks_once = self.questions.iter().filter(is_payload).count() > DIRECT_MAX;
        let payloads = Ident::new("payloads", Span::mixed_site());
        let questions = self.questions.iter().map(|(_, question)| match question {
            Question::Payload(ty) if asks_once => quote!(#payloads.seen_as::<#ty>()),
            Question::Payload(ty) => quote!(#event_crate::Event::payload::<#ty>(#event)),
            Question::Other(question) => question.clone(),
        });
        *found.expr = Expr::Verbatim(quote!((#(#questions,)*)));
        if !asks_once {
            return None;
        }
        let attributes = mem::take(&mut found.attrs);
        Some(Expr::Verbatim(quote! {
            #(#attributes)*
            match #event_crate::payload::generated::Payloads::of(#event) {
                #payloads => #found,
            }
        }))
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

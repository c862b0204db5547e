//! Owns the walk through a turn: finds every `match` over the event, notes what it hears and
//! rewrites it to a `match` over a tuple of downcasts; refuses other looks at the event.

use std::mem;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, Block, Error, Expr, ExprMatch, Ident, Item, Local, Macro, Meta, Pat, PatIdent,
    Result, Stmt, parse_quote,
};

use super::alternatives::{self, Alternative, Hears};
use super::columns::Columns;
use super::looks::{self, InMacro, Look};

/// What a turn hears.
#[derive(Default)]
pub(super) struct Heard {
    topics: Vec<(String, TokenStream)>,
    /// The first arm or expression that looks at every event.
    pub(super) everything: Option<Span>,
    /// Whether any `match` over the event was read.
    matched: bool,
}

impl Heard {
    /// The interests, each an expression, each once, in the order of the code.
    pub(super) fn listed(&self) -> impl Iterator<Item = &TokenStream> {
        self.topics.iter().map(|(_, interest)| interest)
    }

    fn topic(&mut self, interest: TokenStream) {
        let text = interest.to_string();
        if self.topics.iter().all(|(listed, _)| *listed != text) {
            self.topics.push((text, interest));
        }
    }

    /// A turn that never looks at its event is there for every event.
    pub(super) fn or_everything_at(mut self, turn: &Ident, strict: bool) -> Result<Heard> {
        if !self.matched && self.everything.is_none() {
            if strict {
                return Err(Error::new(
                    turn.span(),
                    "nothing in this turn says which events it hears, and a strict processor must: \
                     add a `match` over the event, or write `fn interests`",
                ));
            }
            self.everything = Some(turn.span());
        }
        Ok(self)
    }
}

/// Rewrites the body of a turn, whose event goes by the name `event`.
pub(super) fn rewrite(
    body: &mut Block,
    event: Option<&Ident>,
    event_crate: &TokenStream,
    strict: bool,
) -> Result<Heard> {
    let Some(event) = event else { return Ok(Heard::default()) };
    let mut walk = Walk {
        event,
        event_crate,
        strict,
        heard: Heard::default(),
        errors: None,
        is_value_used: true,
        is_sheltered: false,
    };
    walk.visit_block_mut(body);
    match walk.errors {
        Some(errors) => Err(errors),
        None => Ok(walk.heard),
    }
}

struct Walk<'a> {
    event: &'a Ident,
    event_crate: &'a TokenStream,
    strict: bool,
    heard: Heard,
    errors: Option<Error>,
    /// Whether anyone uses the value of the expression visited next.
    is_value_used: bool,
    /// Inside an arm that names its events, or is `#[unmatched]`: whatever looks at the event
    /// there sees no others.
    is_sheltered: bool,
}

impl Walk<'_> {
    fn error(&mut self, error: Error) {
        match &mut self.errors {
            Some(errors) => errors.combine(error),
            None => self.errors = Some(error),
        }
    }

    fn look(&self, expr: &Expr) -> Option<Look> {
        looks::look(expr, self.event)
    }

    /// The event leaves the code that can be read.
    fn passed_on(&mut self, place: &dyn ToTokens) {
        if self.is_sheltered {
            return;
        }
        let place = place.to_token_stream();
        if self.strict {
            self.error(Error::new_spanned(
                place,
                "a strict processor names what it hears, and here it passes on any event: do it \
                 inside an arm that names the events, or write `fn interests`",
            ));
        } else {
            self.heard.everything.get_or_insert(place.span());
        }
    }

    /// An arm matches every event.
    fn catches_all(&mut self, pattern: &Pat) {
        if self.is_sheltered {
            return;
        }
        if self.strict {
            self.error(Error::new_spanned(
                pattern,
                "a strict processor names what it hears, and this arm hears every event: name the \
                 events, or mark the arm `#[unmatched]` if none will ever come here",
            ));
        } else {
            self.heard.everything.get_or_insert(pattern.span());
        }
    }

    /// Reads and rewrites `match event { … }`; returns what is to stand in its place, if it isn't
    /// enough to change it.
    fn event_match(&mut self, found: &mut ExprMatch, is_value_used: bool) -> Option<Expr> {
        self.heard.matched = true;
        let mut columns = Columns::new(self.event, self.event_crate);
        let mut cells = Vec::new();
        let mut is_exhaustive = false;
        for arm in &mut found.arms {
            let alternatives = match self.arm(arm, &mut columns, is_value_used) {
                Ok(alternatives) => alternatives,
                Err(error) => {
                    self.error(error);
                    continue;
                }
            };
            is_exhaustive |= !matches!(arm.pat, Pat::Guard(_))
                && alternatives.iter().any(|alternative| alternative.irrefutable);
            cells.push(alternatives);
        }
        if self.errors.is_some() {
            return None;
        }
        if !is_exhaustive && is_value_used {
            let event = self.event;
            self.error(Error::new(
                found.match_token.span,
                format!(
                    "the value of this `match {event}` is used, so it needs an arm for every other \
                     event: `_ => …`, or `#[unmatched] _ => …` if none will ever come"
                ),
            ));
            return None;
        }
        for (arm, alternatives) in found.arms.iter_mut().zip(&cells) {
            let pattern = match &mut arm.pat {
                Pat::Guard(guarded) => &mut *guarded.pat,
                pattern => pattern,
            };
            let place = pattern.span();
            let alternatives = alternatives.iter().map(|one| columns.pattern(&one.cells, place));
            *pattern = Pat::Verbatim(quote!(#(#alternatives)|*));
        }
        if !is_exhaustive {
            if let Some(last) = found.arms.last_mut() {
                last.comma.get_or_insert_default();
            }
            found.arms.push(parse_quote!(_ => {}));
        }
        columns.scrutinize(found)
    }

    /// Notes what an arm hears, and goes on inside it.
    fn arm(
        &mut self,
        arm: &mut Arm,
        columns: &mut Columns<'_>,
        is_value_used: bool,
    ) -> Result<Vec<Alternative>> {
        let is_unmatched = take_unmatched(&mut arm.attrs)?;
        let (pattern, is_guarded) = match &arm.pat {
            Pat::Guard(guarded) => (&*guarded.pat, true),
            pattern => (pattern, false),
        };
        let alternatives = alternatives::read(pattern, columns)?;
        let mut hears_all = false;
        for alternative in &alternatives {
            match &alternative.hears {
                Hears::Topics(topics) => {
                    topics.iter().for_each(|topic| self.heard.topic(topic.clone()));
                }
                Hears::Everything => hears_all = true,
            }
        }
        if is_unmatched && (is_guarded || !alternatives.iter().all(|arm| arm.irrefutable)) {
            return Err(Error::new_spanned(
                pattern,
                "`#[unmatched]` marks the arm that is there for exhaustiveness only: `_`, or a \
                 name, without a guard",
            ));
        }
        if hears_all && !is_unmatched {
            self.catches_all(&pattern.clone());
        }
        let outside = self.is_sheltered;
        self.is_sheltered |= is_unmatched || !hears_all;
        self.visit_pat_mut(&mut arm.pat);
        self.is_value_used = is_value_used;
        self.visit_expr_mut(&mut arm.body);
        self.is_sheltered = outside;
        Ok(alternatives)
    }
}

/// Takes `#[unmatched]` off an arm. Refuses `#[cfg]`, which is evaluated after this macro.
fn take_unmatched(attributes: &mut Vec<Attribute>) -> Result<bool> {
    let mut is_unmatched = false;
    for attribute in attributes.iter() {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            return Err(Error::new_spanned(
                attribute,
                "an arm over the event can't be conditional: the interests are read before `cfg` \
                 is evaluated. Put the `cfg` inside the arm, or on the whole impl",
            ));
        }
        if attribute.path().is_ident("unmatched") {
            if !matches!(attribute.meta, Meta::Path(_)) {
                let message = "`#[unmatched]` stands alone: it has no options";
                return Err(Error::new_spanned(attribute, message));
            }
            is_unmatched = true;
        }
    }
    attributes.retain(|attribute| !attribute.path().is_ident("unmatched"));
    Ok(is_unmatched)
}

impl VisitMut for Walk<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        let is_value_used = mem::replace(&mut self.is_value_used, true);
        match expr {
            Expr::Match(found) => match self.look(&found.expr) {
                Some(Look::Plain) => {
                    if let Some(whole) = self.event_match(found, is_value_used) {
                        *expr = whole;
                    }
                }
                Some(look) => self.error(looks::match_error(look, &found.expr, self.event)),
                None => {
                    self.visit_expr_mut(&mut found.expr);
                    for arm in &mut found.arms {
                        self.visit_pat_mut(&mut arm.pat);
                        self.is_value_used = is_value_used;
                        self.visit_expr_mut(&mut arm.body);
                    }
                }
            },
            Expr::Let(found) if self.look(&found.expr).is_some() => {
                self.error(looks::let_error(&found.pat, found, self.event));
            }
            Expr::If(branches) => {
                self.visit_expr_mut(&mut branches.cond);
                self.is_value_used = is_value_used && branches.else_branch.is_some();
                self.visit_block_mut(&mut branches.then_branch);
                if let Some((_, otherwise)) = &mut branches.else_branch {
                    self.is_value_used = is_value_used;
                    self.visit_expr_mut(otherwise);
                }
            }
            Expr::Block(_) | Expr::Unsafe(_) | Expr::Paren(_) | Expr::Group(_) => {
                self.is_value_used = is_value_used;
                visit_mut::visit_expr_mut(self, expr);
            }
            Expr::Loop(repeated) => self.visit_unit_block(&mut repeated.body),
            Expr::While(repeated) => {
                self.visit_expr_mut(&mut repeated.cond);
                self.visit_unit_block(&mut repeated.body);
            }
            Expr::ForLoop(repeated) => {
                self.visit_pat_mut(&mut repeated.pat);
                self.visit_expr_mut(&mut repeated.expr);
                self.visit_unit_block(&mut repeated.body);
            }
            Expr::Path(path) if path.path.is_ident(self.event) => self.passed_on(path),
            _ => visit_mut::visit_expr_mut(self, expr),
        }
        self.is_value_used = true;
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        let is_value_used = mem::replace(&mut self.is_value_used, true);
        let last = block.stmts.len().saturating_sub(1);
        for (index, statement) in block.stmts.iter_mut().enumerate() {
            self.is_value_used = match statement {
                Stmt::Expr(_, None) if index == last => is_value_used,
                Stmt::Expr(..) => false,
                _ => true,
            };
            self.visit_stmt_mut(statement);
        }
        self.is_value_used = true;
    }

    fn visit_local_mut(&mut self, local: &mut Local) {
        if let Some(init) = &local.init
            && let Some(look) = self.look(&init.expr)
        {
            if init.diverge.is_some() {
                return self.error(looks::let_else_error(&local.pat, self.event));
            }
            if look != Look::InTuple && !is_plain(&local.pat) {
                return self.error(looks::let_error(&local.pat, local, self.event));
            }
        }
        visit_mut::visit_local_mut(self, local);
    }

    fn visit_pat_ident_mut(&mut self, name: &mut PatIdent) {
        if name.ident == *self.event {
            self.error(Error::new(
                name.ident.span(),
                format!(
                    "this hides the event, which `#[processor]` follows by the name `{}`: give \
                     this another name",
                    self.event
                ),
            ));
        }
        visit_mut::visit_pat_ident_mut(self, name);
    }

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        match looks::in_macro(call, self.event) {
            InMacro::Nothing => {}
            InMacro::PassedOn(token) => self.passed_on(&token),
            InMacro::Misuse(error) => self.error(error),
        }
    }

    fn visit_item_mut(&mut self, _: &mut Item) {
        // An item inside the body can't see the parameter; what it calls `event` is another thing.
    }
}

impl Walk<'_> {
    fn visit_unit_block(&mut self, block: &mut Block) {
        self.is_value_used = false;
        self.visit_block_mut(block);
    }
}

/// Whether a pattern names its value without looking at it.
fn is_plain(pattern: &Pat) -> bool {
    match pattern {
        Pat::Ident(name) => name.subpat.is_none(),
        Pat::Type(typed) => is_plain(&typed.pat),
        Pat::Wild(_) => true,
        _ => false,
    }
}

//! Bags of words: how often each term stands in each page.
//!
//! A page's bag depends on its text and the rules of tokens alone, so it is made once and kept as a partial (see
//! `source::partial`): a new day costs that day. A [`Corpus`] joins the bags of the pages that count over a span: terms are
//! numbered in alphabetical order, pages in the order of their URLs, so nothing depends on files or threads.

mod build;
mod cells;
mod corpus;
mod file;
mod memo;

pub use corpus::{Corpus, Page, files};
pub use file::{Bags, Parts};

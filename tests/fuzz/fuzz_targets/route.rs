//! Path templates: what they print they read, and matching, covering, routing and expanding agree.

#![no_main]

use http::Method;
use legato_proxy::route::{Router, Template};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<&str>, &str)| {
    let (texts, path) = input;
    let mut templates: Vec<Template> = Vec::new();
    for text in texts.into_iter().take(16) {
        let Ok(template) = Template::parse(text) else { continue };
        assert_eq!(Template::parse(&template.to_string()).as_ref(), Ok(&template), "{text:?} is read as it is printed");
        expands_to_what_it_matched(&template, path);
        // A set of templates with one answer for every request, as a change's calls are.
        if templates.iter().all(|other| !other.ambiguous_with(&template) && !other.same_shape(&template)) {
            templates.push(template);
        }
    }
    finds_the_most_specific(&templates, path);
});

fn expands_to_what_it_matched(template: &Template, path: &str) {
    let Some(params) = template.match_path(path) else { return };
    assert_eq!(params.len(), template.params().count());
    let expanded = template.expand(&params);
    assert_eq!(template.match_path(&expanded).as_ref(), Some(&params), "{template} of {path:?} became {expanded:?}");
}

fn finds_the_most_specific(templates: &[Template], path: &str) {
    let mut router = Router::new();
    for (at, template) in templates.iter().enumerate() {
        assert_eq!(router.insert(template, at), None, "{template} is in the router already");
    }
    let fits = |template: &&Template| {
        template.match_path(path).is_some() && template.method.as_ref().is_none_or(|method| *method == Method::GET)
    };
    let fitting: Vec<&Template> = templates.iter().filter(fits).collect();
    let found = router.find(&Method::GET, path);
    let Some(found) = found else {
        assert!(fitting.is_empty(), "{path:?} fits {fitting:?} and is not found");
        return;
    };
    let template = &templates[*found.value];
    assert_eq!(template.match_path(path), Some(found.params));
    for other in fitting {
        assert!(!other.more_specific(template), "{path:?}: {other} is more specific than {template}");
    }
}

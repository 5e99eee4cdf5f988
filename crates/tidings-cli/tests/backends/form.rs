//! What a person does with a form.

use serde_json::{Value, json};

use crate::Page;

impl Page {
    /// Types into the fields of the page's form and sends it with its button.
    #[track_caller]
    pub fn fill(&mut self, fields: &[(&str, &str)]) {
        self.until("document.readyState === 'complete' && document.querySelector('form') !== null");
        for (name, text) in fields {
            let (name, text) = (json!(name), json!(text));
            self.eval(&format!(
                "document.querySelector('form').elements[{name}].value = {text}"
            ));
        }
        self.eval("document.querySelector('form button').click()");
    }

    /// Chooses a file in the page's form and sends it.
    #[track_caller]
    pub fn send_file(&mut self, path: &std::path::Path) {
        self.until("document.readyState === 'complete' && document.querySelector('form') !== null");
        let root = self.call("DOM.getDocument", json!({}))["root"]["nodeId"].take();
        let query = json!({"nodeId": root, "selector": "input[type=file]"});
        let input = self.call("DOM.querySelector", query)["nodeId"].take();
        self.call(
            "DOM.setFileInputFiles",
            json!({"files": [path], "nodeId": input}),
        );
        self.eval("document.querySelector('form button').click()");
    }

    /// From here on, what the page complains about is kept: see [`Page::complaints`].
    pub fn listen_for_complaints(&mut self) {
        self.call("Log.enable", json!({}));
        self.call("Runtime.enable", json!({}));
    }

    /// Errors in the console, failed loads (but for the icon that no application here has) and violations of
    /// the page's policy.
    pub fn complaints(&mut self) -> Vec<String> {
        let logged = self.events("Log.entryAdded").into_iter();
        let is_icon = |entry: &Value| {
            entry["url"]
                .as_str()
                .is_some_and(|url| url.ends_with("/favicon.ico"))
        };
        let logged =
            logged.filter(|event| event["entry"]["level"] == "error" && !is_icon(&event["entry"]));
        let thrown = self.events("Runtime.exceptionThrown");
        logged
            .chain(thrown)
            .map(|event| event.to_string())
            .collect()
    }
}

"""HTML by functions: what users write never becomes markup."""

from kilonova.health.web.html import el, link


def test_el__text_of_users__is_escaped() -> None:
    assert el("p", "<b>&", title='"x"') == '<p title="&quot;x&quot;">&lt;b&gt;&amp;</p>'


def test_link__to_script__is_no_link() -> None:
    assert "href" not in link("javascript:alert(1)", "log")
    assert 'href="https://logs.example/1"' in link("https://logs.example/1", "log")

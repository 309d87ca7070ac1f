package serve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/serve"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// TestBrowser opens every page in a browser: nothing complains, no request leaves the origin, and what scripts add
// works.
func TestBrowser(t *testing.T) {
	address, o := listen(t, func(o *serve.Options) { o.Write, o.Model = true, steerable{o.Model} })
	b := openBrowser(t, address)
	b.do("explorer", chromedp.Navigate(address+"/?sort=-f1"))
	b.wait("rows", `document.querySelectorAll("#neurons tbody tr[data-at]").length > 10`)
	b.wait("histograms", `document.querySelectorAll(".bars rect").length > 100`)
	b.shot("explorer")
	b.do("the last row", chromedp.Evaluate(`document.querySelector("#scroll").scrollTop = 1e9`, nil))
	b.wait("the last row",
		`[...document.querySelectorAll("#neurons tbody tr[data-at]")].some(r => r.dataset.at === "1535")`)
	b.do("a filter", chromedp.SendKeys("#label", "r"))
	b.wait("its address", `new URLSearchParams(location.search).get("label") === "r"`)
	b.wait("fewer rows", `document.querySelector("#count").textContent.includes(" of ")`)
	b.do("keys", chromedp.Evaluate(`document.activeElement.blur()`, nil), chromedp.KeyEvent("j"), chromedp.KeyEvent("j"))
	b.wait("the chosen row", `!!document.querySelector('tr.here[data-at="1"]')`)
	b.do("open it", chromedp.KeyEvent(kb.Enter), chromedp.WaitReady("article.neuron"))
	b.do("a slash", chromedp.Navigate(address+"/"), chromedp.WaitReady("#token"))
	b.wait("rows", `document.querySelectorAll("#neurons tbody tr[data-at]").length > 10`)
	b.do("a slash", chromedp.KeyEvent("/"))
	b.wait("the search field", `document.activeElement.id === "token"`)
	b.do("a text", chromedp.SendKeys("#fires-text", "if err != nil {"))
	b.wait("what it fires", `document.querySelectorAll("table.neurons").length === 2`)
	b.shot("fires")

	const text = "</script> if err != nil {\n\treturn nil, err // 漢字 שלום 😀\n}"
	b.do("live text", chromedp.Navigate(address+"/live?"+
		url.Values{"layer": {"1"}, "neuron": {"19"}, "text": {text}}.Encode()))
	b.wait("tokens", `document.querySelectorAll(".live .tok").length > 5`)
	agree(t, b, o, 1, 19, text)
	b.do("more text", chromedp.Focus("textarea[name=text]"),
		chromedp.Evaluate(`document.activeElement.setSelectionRange(1e6, 1e6)`, nil),
		chromedp.SendKeys("textarea[name=text]", " err"))
	b.wait("the new token", `[...document.querySelectorAll(".live .tok")].at(-1).textContent.endsWith("err")`)
	agree(t, b, o, 1, 19, text+" err")
	b.do("a token", chromedp.Click(`.live > .live-out > .tokens .tok:last-of-type`))
	b.wait("what matters", `!document.querySelector(".detail").hidden && document.querySelectorAll(".hits li").length > 3`)
	b.wait("the next tokens", `document.querySelectorAll(".next td").length > 1`)
	b.shot("live")

	b.do("a picture", chromedp.EmulateViewport(1200, 860), chromedp.Navigate(address+"/neurons/1/222"))
	b.wait("live", `document.querySelectorAll(".live .tok").length > 1`)
	const picture = "func sum(list []int, names map[string]uint) (bytes []byte, err error) {"
	b.do("a picture",
		chromedp.Evaluate(
			fmt.Sprintf(
				`{const t = document.querySelector("textarea[name=text]"); t.value = %q; t.dispatchEvent(new Event("input"))}`,
				picture), nil))
	b.wait("its tokens", `document.querySelectorAll(".live .tok").length > 12`)
	b.shot("workbench")
	b.do("neuron", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(address+"/neurons/1/254"))
	b.wait("live", `document.querySelectorAll(".live .tok").length > 1`)
	b.shot("neuron")
	b.do("next", chromedp.Evaluate(`document.activeElement.blur()`, nil), chromedp.KeyEvent("j"))
	b.wait("the next neuron", `location.pathname === "/neurons/1/255"`)

	b.do("run", chromedp.Navigate(address+"/run"))
	b.do("begin", chromedp.SendKeys("#layers", "0"), chromedp.SendKeys("#numbers", "30-35"),
		chromedp.Click("#start button"))
	b.wait("running", `["running","done"].includes(document.querySelector("[data-run=state]").textContent)`)
	b.do("a reload", chromedp.Reload())
	b.wait("done", `document.querySelector("[data-run=state]").textContent === "done"`)
	b.shot("run")
	b.do("api", chromedp.Navigate(address+"/api"))
	for width, name := range map[int64]string{360: "narrow"} {
		for _, path := range []string{"/", "/neurons/1/254", "/live", "/run", "/api"} {
			b.do(name, chromedp.EmulateViewport(width, 800), chromedp.Navigate(address+path))
			b.wait(path, `document.readyState === "complete"`)
			if over := b.text(`String(document.documentElement.scrollWidth - innerWidth)`); strings.HasPrefix(over,
				"-") == false && over != "0" {
				t.Errorf("%s is %s pixels wider than a window of %d", path, over, width)
			}
		}
	}
	if missing := b.text(
		`JSON.stringify([...document.querySelectorAll("input,textarea,select,button")].filter(e => !e.labels?.length && !e.getAttribute("aria-label") && !e.textContent.trim()).map(e => e.outerHTML))`); missing != "[]" {
		t.Errorf("without a name: %s", missing)
	}
}

// TestContrast holds the style sheet's colours of text to WCAG 2.1, level AA: 4.5 to 1, and 3 to 1 for what is no text.
func TestContrast(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("web", "style.css"))
	if err != nil {
		t.Fatal(err)
	}
	themes := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllSubmatch(text, -1)
	if len(themes) != 2 {
		t.Fatalf("%d themes, want a light and a dark one", len(themes))
	}
	for i, name := range []string{"light", "dark"} {
		colours := map[string]string{}
		for _, c := range regexp.MustCompile(`--([a-z0-9-]+):(#[0-9a-f]+)`).FindAllSubmatch(themes[i][1], -1) {
			colours[string(c[1])] = string(c[2])
		}
		for _, ground := range []string{"page", "panel", "accent-soft"} {
			for _, ink := range []string{"text", "soft", "accent", "red-1", "warn-1", "good"} {
				if ratio := contrast(t, colours[ink], colours[ground]); ratio < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", name, ink, ground, ratio)
				}
			}
			if ratio := contrast(t, colours["focus"], colours[ground]); ratio < 3 {
				t.Errorf("%s: the focus ring on %s has a contrast of %.2f", name, ground, ratio)
			}
		}
		if ratio := contrast(t, []string{"#ffffff", "#0d1420"}[i], colours["accent"]); ratio < 4.5 {
			t.Errorf("%s: buttons have a contrast of %.2f", name, ratio)
		}
	}
}

// contrast of two colours, #rgb or #rrggbb, as WCAG 2.1 defines it.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(text string) float64 {
		hex := strings.TrimPrefix(text, "#")
		if len(hex) == 3 {
			hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
		}
		value, err := strconv.ParseUint(hex, 16, 32)
		if err != nil || len(hex) != 6 {
			t.Fatalf("%q is no colour: %v", text, err)
		}
		linear := func(shift int) float64 {
			c := float64(value>>shift&0xff) / 255
			if c <= 0.04045 {
				return c / 12.92
			}
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
	}
	high, low := luminance(a), luminance(b)
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

// TestKeyboard walks through the page as one does without a mouse.
func TestKeyboard(t *testing.T) {
	address, _ := listen(t, func(o *serve.Options) { o.Model = steerable{o.Model} })
	b := openBrowser(t, address)
	b.do("explorer", chromedp.Navigate(address+"/"))
	b.wait("rows", `document.querySelectorAll("#neurons tbody tr[data-at]").length > 10`)
	var order []string
	for range 60 {
		b.do("tab", chromedp.KeyEvent(kb.Tab))
		order = append(order, b.text(`{const e = document.activeElement; const box = e.getBoundingClientRect();
			(e.id || e.textContent.trim().slice(0, 30) || e.name) +
			(box.width && box.height && box.right > 0 ? "" : " (unseen)")}`))
		if strings.Contains(b.text(`getComputedStyle(document.activeElement).outlineStyle`), "none") {
			t.Errorf("the focus is not seen on %s", order[len(order)-1])
		}
		if order[len(order)-1] == "0/1" {
			break
		}
	}
	walk := strings.Join(order, " > ")
	last := -1
	for _, stop := range []string{"Skip to content", "Neuron2Graph", "Live text", "token", "layer", "Filter", "fires-text",
		"scroll", "neuron", "0/0", "0/1"} {
		at := strings.Index(walk[last+1:], stop)
		if at < 0 {
			t.Fatalf("%q is not reached behind the others: %s", stop, walk)
		}
		last += 1 + at
	}
	if strings.Contains(walk, "(unseen)") {
		t.Errorf("the focus goes where nothing is seen: %s", walk)
	}
	for role, least := range map[string]int{"header": 1, "nav[aria-label]": 1, "main": 1, "aside[aria-label]": 1, "h1": 1,
		"[role=status]": 1, "table [scope=col]": 9, "table [scope=row]": 10, "[aria-rowcount]": 1} {
		n, err := strconv.Atoi(b.text(fmt.Sprintf(`String(document.querySelectorAll(%q).length)`, role)))
		if err != nil || n < least {
			t.Errorf("%d of %s, want %d", n, role, least)
		}
	}
	b.do("neuron", chromedp.Navigate(address+"/neurons/1/254"))
	b.wait("tokens", `document.querySelectorAll(".live .tok").length > 3`)
	b.do("arrows", chromedp.Focus(`.live .tok[tabindex="0"]`), chromedp.KeyEvent(kb.ArrowRight),
		chromedp.KeyEvent(kb.Enter))
	b.wait("what matters for the second token",
		`document.activeElement.dataset.position === "2" && !document.querySelector(".detail").hidden`)
	if stops := b.text(`String(document.querySelectorAll('.live .tok[tabindex="0"]').length)`); stops != "1" {
		t.Errorf("the tokens are %s stops of the Tab key, want one", stops)
	}
	b.wait("text that can be read", `[...document.querySelectorAll(".live .tok")].every(e => {
		const light = (c) => { const l = c.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
			return .2126 * l[0] + .7152 * l[1] + .0722 * l[2]; };
		const parse = (c) => c.match(/[\d.]+/g).map(Number);
		const page = parse(getComputedStyle(document.documentElement).backgroundColor);
		const style = getComputedStyle(e), ground = parse(style.backgroundColor), share = ground[3] ?? 1;
		const a = light(parse(style.color)), z = light(ground.slice(0, 3).map((c, i) => c * share + page[i] * (1 - share)));
		return e.classList.contains("bos") || (Math.max(a, z) + .05) / (Math.min(a, z) + .05) >= 4.5;
	})`)
}

// agree compares what the page shows with the model, to the last digit.
func agree(t *testing.T, b *browser, o serve.Options, layer, neuron int, text string) {
	t.Helper()
	ids, err := n2g.Prompt(o.Model, text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := o.Model.Activations(context.Background(), layer, o.Model.DefaultHook(), neuron, [][]int{ids}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	if err := json.Unmarshal(
		[]byte(
			b.text(
				`JSON.stringify([...document.querySelectorAll(".live > .live-out > .tokens .tok")].map(e => e.dataset.activation))`)), &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown) != len(want[0]) {
		t.Fatalf("%d tokens are shown, there are %d", len(shown), len(want[0]))
	}
	for i, v := range want[0] {
		got, err := strconv.ParseFloat(shown[i], 32)
		if err != nil || float32(got) != v {
			t.Errorf("token %d shows %s, the model says %v (%v)", i, shown[i], v, err)
		}
	}
}

// TestSite writes the explorer as files, and opens them from disk.
// siteSearch asks a site for tokens, and compares with the store's answers.
func siteSearch(t *testing.T, b *browser, s *store.Store) {
	t.Helper()
	tokens := map[string]bool{}
	for e, err := range s.Explanations(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range e.Context.Tokens() {
			tokens[token.Token] = true
		}
		for _, token := range n2g.NewTokenSets(e.Trie).Important {
			tokens[token] = true
		}
	}
	words := slices.DeleteFunc(slices.Sorted(maps.Keys(tokens)), func(token string) bool {
		return strings.ContainsFunc(token, unicode.IsSpace) || strings.ContainsAny(token, `:*\`)
	})
	if len(words) < 20 {
		t.Fatalf("only %d tokens", len(words))
	}
	random, differ := rand.New(rand.NewPCG(2, 2)), map[int]bool{}
	for range 12 {
		word := words[random.IntN(len(words))]
		question := []string{word, word + ":activating", word + ":important", word[:1] + "*", word + " " +
			words[random.IntN(len(words))]}[random.IntN(5)]
		if word[0] >= 0x80 {
			continue // its first byte is no character
		}
		var terms []store.Term
		for one := range strings.FieldsSeq(question) {
			term, err := store.ParseTerm(one)
			if err != nil {
				t.Fatal(err)
			}
			terms = append(terms, term)
		}
		hits, err := s.Search(t.Context(), terms...)
		if err != nil {
			t.Fatal(err)
		}
		differ[len(hits)] = true
		input, err := json.Marshal(question)
		if err != nil {
			t.Fatal(err)
		}
		b.text(`(() => { const i = document.querySelector("#token"); i.value = ` + string(input) +
			`; i.dispatchEvent(new Event("input", {bubbles: true})); return ""; })()`)
		b.wait(fmt.Sprintf("%d neurons for %q", len(hits), question),
			fmt.Sprintf(`document.querySelector("#count").textContent.split(" ")[0] === "%d"`, len(hits)))
	}
	if len(differ) < 3 {
		t.Errorf("all questions have like answers: %v", differ)
	}
}

func TestSite(t *testing.T) {
	_, o := open(t, func(o *serve.Options) { o.Neurons = 24 }) // and those that are stored
	folder := filepath.Join(t.TempDir(), "site")
	last := 0
	written, err := serve.WriteSite(t.Context(), o, folder, func(done, of int) { last = of - done })
	if err != nil {
		t.Fatal(err)
	}
	files, bytes := 0, int64(0)
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		files++
		bytes += info.Size()
		if strings.HasSuffix(path, ".part") {
			t.Errorf("%s is left over", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files != written.Files || bytes != written.Bytes || last != 0 {
		t.Errorf("%d files of %d bytes, but it says %+v", files, bytes, written)
	}
	page, err := os.ReadFile(filepath.Join(folder, "neurons", "1", "19.html"))
	if err != nil {
		t.Fatal(err)
	}
	if len(page) > 40_000 {
		t.Errorf("a neuron's page has %d bytes", len(page))
	}
	if strings.Contains(string(page), "of  to") {
		t.Error("a band of the corpus begins nowhere")
	}
	if _, err := serve.WriteSite(t.Context(), o, folder, nil); err != nil {
		t.Errorf("writing it again: %v", err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := serve.WriteSite(t.Context(), o, other, nil); err == nil {
		t.Error("a folder that holds something else was written to")
	}

	b := openBrowser(t, "")
	b.do("index", chromedp.Navigate("file://"+folder+"/index.html"))
	b.wait("rows", `document.querySelectorAll("#neurons tbody tr[data-at]").length > 10`)
	b.wait("histograms", `document.querySelectorAll(".bars rect").length > 100`)
	b.do("sort", chromedp.Click(`a[data-sort=f1]`))
	b.wait("the best first",
		`document.querySelector("#neurons tbody tr[data-at] .f1:not(.context)").textContent.trim() !== ""`)
	b.do("a filter", chromedp.SendKeys("#token", word(t, o.Store)))
	b.wait("fewer rows", `document.querySelector("#count").textContent.includes(" of ")`)
	b.shot("site")
	siteSearch(t, b, o.Store)
	b.do("neuron", chromedp.Click("#neurons tbody tr[data-at] a"), chromedp.WaitReady("article.neuron"))
	b.shot("site-neuron")
	if links := b.text(
		`JSON.stringify([...document.querySelectorAll("a")].map(a => a.href).filter(h => !h.startsWith("file:")))`); links != "[]" {
		t.Errorf("links leave the site: %s", links)
	}
	for _, link := range strings.Split(b.text(`[...document.querySelectorAll("a")].map(a => a.href.split(/[?#]/)[0]).join("\n")`), "\n") {
		if _, err := os.Stat(strings.TrimPrefix(link, "file://")); err != nil {
			t.Errorf("a link leads nowhere: %v", err)
		}
	}
	fmt.Fprintln(os.Stderr, "site:", written.Files, "files,", written.Bytes, "bytes")
}

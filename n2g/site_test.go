package n2g

import (
	"strings"
	"testing"
)

func TestSiteText(t *testing.T) {
	for text, want := range map[string]Site{
		"blocks.3.mlp.hook_mid[17]":         {3, 17, "hook_mid"},
		"blocks.3.mlp.hook_mid[-17]":        {3, 17, "-hook_mid"},
		"blocks.3.mlp.hook_mid[-0]":         {3, 0, "-hook_mid"},
		"blocks.0.mlp[4]":                   {0, 4, ""},
		"blocks.3.hook_resid_post[5]":       {3, 5, "hook_resid_post"},
		"blocks.3.hook_resid_post[sae:17]":  {3, 17, "hook_resid_post[sae]"},
		"blocks.3.hook_resid_post[sae:-17]": {3, 17, "-hook_resid_post[sae]"},
		"blocks.12.attn.hook_z[700]":        {12, 700, "attn.hook_z"},
		"blocks.3.attn[h2].prev":            {3, 2, "attn.prev"},
		"blocks.3.attn[hall].induction":     {3, All, "attn.induction"},
		"blocks.3.mlp.hook_mid[all]":        {3, All, "hook_mid"},
		"blocks.3.hook_resid_post[sae:all]": {3, All, "hook_resid_post[sae]"},
		"blocks.3.ln2.hook_normalized[1]":   {3, 1, "ln2.hook_normalized"},
	} {
		got, err := ParseSite(text)
		if err != nil || got != want {
			t.Errorf("%s is %+v, error %v, want %+v", text, got, err, want)
		}
		if back := want.String(); back != text {
			t.Errorf("%+v is written %s, want %s", want, back, text)
		}
	}
	if got := (Site{1, 3, "mlp.hook_mid"}).String(); got != "blocks.1.mlp.hook_mid[3]" {
		t.Error(got)
	}
	for _, text := range []string{
		"", "blocks.3", "blocks.3.mlp.hook_mid", "blocks.-3.mlp.hook_mid[1]", "blocks.3.mlp.hook_mid[1",
		"blocks.3.mlp.hook_mid[x]",
		"blocks.3..hook_mid[1]", "blocks.3.mlp.hook_mid[1] ", "mlp.hook_mid[1]", "blocks.3.attn[2].prev", "blocks.3.attn[h2]",
		"blocks.99999999999.mlp.hook_mid[1]", "blocks.3.mlp.hook_mid[99999999999]", "blocks.3.mlp.hook_mid[tc:1]",
		"blocks.3.MLP[1]",
	} {
		if _, err := ParseSite(text); err == nil || !strings.Contains(err.Error(), "blocks.3.mlp.hook_mid[17]") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func FuzzParseSite(f *testing.F) {
	f.Add("blocks.3.mlp.hook_mid[17]")
	f.Add("blocks.3.attn[h2].prev")
	f.Add("blocks.3.hook_resid_post[sae:-17]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSite(text)
		if err != nil {
			return
		}
		if back, err := ParseSite(s.String()); err != nil || back != s {
			t.Errorf("%q is %+v, written %s, read as %+v, %v", text, s, s, back, err)
		}
	})
}

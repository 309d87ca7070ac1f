"""A model for n2g -exec 'python3 model.py': it answers JSON Lines. Put your own in place of the three functions."""
import json
import re
import sys

WORDS = ["<s>", "<pad>"] + [" " + word for word in """a an and at by city boat he in it lake loan money near of old on
our river she stood the they to walked was water we bank""".split()]
ID = {word: i for i, word in enumerate(WORDS)}  # the same in every run, as an index keeps ids
CHARACTERS = 1000  # ids from here on are single characters


def tokenize(text):
    ids = []
    for piece in re.findall(r" ?[A-Za-z]+|.", text, re.DOTALL):
        ids += [ID[piece]] if piece in ID else [CHARACTERS + ord(c) for c in piece]
    return ids


def decode(ids):
    return "".join(WORDS[i] if i < len(WORDS) else chr(i - CHARACTERS) for i in ids)


def activations(prompt, layer, hook):
    """The numbers of a hook point on each token, [token][neuron]: a bank behind water, and a capital letter."""
    rows, wet = [], False
    for token in map(decode, [[i] for i in prompt]):
        rows.append([float(wet and token == " bank"), float(token.isupper())])
        wet = token not in ".!?" and (wet or token in (" river", " lake"))
    return rows


def answer(q):
    if q["method"] == "hello":
        return {"protocol": 1, "name": "banks", "context_length": 256, "vocabulary": CHARACTERS + sys.maxunicode + 1,
                "bos": ID["<s>"], "mask": ID["<pad>"], "sites": [{"layer": 0, "hook": "hook_post", "width": 2}]}
    if q["method"] == "tokenize":
        return {"ids": [tokenize(text) for text in q["texts"]]}
    if q["method"] == "decode":
        return {"texts": [decode(ids) for ids in q["ids"]]}
    if q["method"] == "activations":
        all_of = [activations(prompt, q["layer"], q["hook"]) for prompt in q["prompts"]]
        if q["neuron"] is None:
            return {"activations": all_of}
        return {"activations": [[row[q["neuron"]] for row in rows] for rows in all_of]}
    return {"error": f"there is no method {q['method']}"}


for line in sys.stdin:
    question = json.loads(line)
    try:
        found = answer(question)
    except Exception as error:  # it is told, and the next question may go well
        found = {"error": repr(error)}
    print(json.dumps({"id": question["id"], **found}), flush=True)

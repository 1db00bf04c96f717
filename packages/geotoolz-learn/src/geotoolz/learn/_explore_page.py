"""The page of `explore_chips`: style, script and pictures in one file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from geotoolz.learn._explore import ChipCard
from geotoolz.learn._explore_colours import class_colours
from geotoolz.metrics import ConfusionCounts

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem auto;max-width:90rem;padding:0 1rem}
h1{font-size:1.4rem;margin:0 0 .5rem}
form{display:flex;flex-wrap:wrap;gap:1rem;align-items:end;padding:.6rem 0}
form{position:sticky;top:0;background:Canvas}
label{display:flex;flex-direction:column;font-size:.85rem}
main{display:flex;flex-wrap:wrap;gap:1rem}
article{border:1px solid #8885;border-radius:6px;padding:.5rem}
article h2{font-size:.85rem;margin:0 0 .3rem;font-weight:600}
article div{display:flex;gap:.3rem}
figure{margin:0;font-size:.75rem;color:GrayText}
figure img{display:block;width:128px;image-rendering:pixelated}
table{border-collapse:collapse;margin:.5rem 0}
th,td{padding:.25rem .6rem;border-top:1px solid #8885;text-align:right;font-variant-numeric:tabular-nums}
td button{font:inherit;border:0;background:none;color:inherit;cursor:pointer;padding:0}
td button{text-decoration:underline}
td button[aria-pressed=true]{font-weight:700;outline:2px solid}
.key{display:inline-block;width:.9em;height:.9em}
[hidden]{display:none!important}
"""

_SCRIPT = """
const form=document.querySelector('form'),cards=[...document.querySelectorAll('article')];
const shown=document.getElementById('shown'),main=document.querySelector('main');let pair='';
function apply(){
  const text=form.text.value.toLowerCase(),cls=form.cls.value,least=Number(form.wrong.value)/100;
  let n=0;
  for(const c of cards){
    const ok=c.dataset.name.toLowerCase().includes(text)
      &&(!cls||c.dataset.classes.split(' ').includes(cls))
      &&(least===0||Number(c.dataset.wrong)>=least)
      &&(!pair||c.dataset.pairs.split(' ').includes(pair));
    c.hidden=!ok;n+=ok;
  }
  shown.textContent=n+' of '+cards.length;
  document.getElementById('least').textContent=form.wrong.value+' %';
}
function order(){
  const key=form.order.value,of=c=>Number(c.dataset[key]||-1);
  const sorted=key==='index'?cards:[...cards].sort((a,b)=>of(b)-of(a));
  main.append(...sorted);
}
form.addEventListener('input',()=>{order();apply()});
form.addEventListener('submit',e=>e.preventDefault());
for(const b of document.querySelectorAll('td button'))b.addEventListener('click',()=>{
  pair=pair===b.dataset.pair?'':b.dataset.pair;
  for(const o of document.querySelectorAll('td button'))o.setAttribute('aria-pressed',o.dataset.pair===pair);
  apply();
});
order();apply();
"""


def chips_page(
    title: str, cards: Sequence[ChipCard], classes: Sequence[str], confusion: ConfusionCounts | None
) -> str:
    """Return the page; every text from outside is escaped."""
    body = [
        f"<h1>{escape(title)}</h1>",
        _legend(classes),
        "" if confusion is None else _matrix(confusion),
        _controls(classes, cards),
        "<main>",
        *(_card(number, card, classes) for number, card in enumerate(cards)),
        "</main>",
    ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(body)}<script>{_SCRIPT}</script></body></html>\n"
    )


def _legend(classes: Sequence[str]) -> str:
    marks = (
        f"<span class='key' style='background:rgb({r},{g},{b})'></span> {escape(name)}"
        for name, (r, g, b) in zip(classes, class_colours(len(classes)), strict=True)
    )
    return f"<p>{' · '.join(marks)}</p>"


def _controls(classes: Sequence[str], cards: Sequence[ChipCard]) -> str:
    options = "".join(f"<option value='{k}'>{escape(name)}</option>" for k, name in enumerate(classes))
    orders = [("index", "as given")]
    orders += [("wrong", "most wrong first")] if any(card.wrong is not None for card in cards) else []
    orders += [("score", "highest score first")] if any(card.score is not None for card in cards) else []
    sorts = "".join(f"<option value='{key}'>{text}</option>" for key, text in orders)
    return (
        "<form><label>name<input name='text' type='search'></label>"
        f"<label>with class<select name='cls'><option value=''>any</option>{options}</select></label>"
        "<label><span>wrong, at least <output id='least'>0 %</output></span>"
        "<input name='wrong' type='range' min='0' max='100' value='0'></label>"
        f"<label>order<select name='order'>{sorts}</select></label>"
        "<output id='shown'></output></form>"
    )


def _matrix(found: ConfusionCounts) -> str:
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in ("true ↓ predicted →", *found.labels))
    rows = []
    for i, (name, counts) in enumerate(zip(found.labels, found.matrix, strict=True)):
        cells = "".join(
            f"<td><button type='button' data-pair='{i}-{j}' aria-pressed='false'>{count}</button></td>"
            for j, count in enumerate(counts)
        )
        rows.append(f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _card(number: int, card: ChipCard, classes: Sequence[str]) -> str:
    places = " ".join(str(classes.index(name)) for name in card.classes)
    pairs = " ".join(f"{i}-{j}" for i, j in card.pairs)
    facts = [] if card.wrong is None else [f"{card.wrong:.1%} wrong"]
    facts += [] if card.score is None else [f"score {card.score:.3g}"]
    figures = "".join(
        f"<figure><img alt='{escape(role)}' src='data:image/png;base64,{base64.b64encode(png).decode()}'>"
        f"<figcaption>{escape(role)}</figcaption></figure>"
        for role, png in card.pictures.items()
    )
    name = escape(card.name, quote=True)
    wrong = "" if card.wrong is None else f"{card.wrong:.6f}"
    score = "" if card.score is None else f"{card.score:.9g}"
    return (
        f"<article data-index='{number}' data-name='{name}' data-classes='{places}' data-wrong='{wrong}' "
        f"data-score='{score}' data-pairs='{pairs}'><h2>{name}{''.join(f' · {fact}' for fact in facts)}</h2>"
        f"<div>{figures}</div></article>"
    )

"""Languages by their codes: how a prompt names the language that it asks for."""

import re

CODE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
"""A language code as recipes have it: ISO 639, perhaps with a region or script, such as pt-BR."""

_LISTED = """
aa Afar; ab Abkhazian; af Afrikaans; ak Akan; am Amharic; an Aragonese; ar Arabic; as Assamese; av Avaric;
ay Aymara; az Azerbaijani; ba Bashkir; be Belarusian; bg Bulgarian; bi Bislama; bm Bambara; bn Bengali;
bo Tibetan; br Breton; bs Bosnian; ca Catalan; ce Chechen; ch Chamorro; co Corsican; cr Cree; cs Czech;
cv Chuvash; cy Welsh; da Danish; de German; dv Dhivehi; dz Dzongkha; ee Ewe; el Greek; en English; eo Esperanto;
es Spanish; et Estonian; eu Basque; fa Persian; ff Fulah; fi Finnish; fil Filipino; fj Fijian; fo Faroese;
fr French; fy Western Frisian; ga Irish; gd Scottish Gaelic; gl Galician; gn Guarani; gu Gujarati; gv Manx;
ha Hausa; haw Hawaiian; he Hebrew; hi Hindi; hr Croatian; ht Haitian Creole; hu Hungarian; hy Armenian;
ia Interlingua; id Indonesian; ig Igbo; ilo Ilocano; is Icelandic; it Italian; iu Inuktitut; ja Japanese;
jv Javanese; ka Georgian; kg Kongo; ki Kikuyu; kk Kazakh; kl Greenlandic; km Khmer; kn Kannada; ko Korean;
kok Konkani; ks Kashmiri; ku Kurdish; kv Komi; kw Cornish; ky Kyrgyz; la Latin; lb Luxembourgish; lg Ganda;
li Limburgish; ln Lingala; lo Lao; lt Lithuanian; lv Latvian; mai Maithili; mg Malagasy; mi Maori;
mk Macedonian; ml Malayalam; mn Mongolian; mni Manipuri; mr Marathi; ms Malay; mt Maltese; my Burmese;
nb Norwegian Bokmål; ne Nepali; nl Dutch; nn Norwegian Nynorsk; no Norwegian; ny Chichewa; oc Occitan; om Oromo;
or Odia; os Ossetian; pa Punjabi; pl Polish; ps Pashto; pt Portuguese; qu Quechua; rm Romansh; rn Rundi;
ro Romanian; ru Russian; rw Kinyarwanda; sa Sanskrit; sat Santali; sc Sardinian; sd Sindhi; se Northern Sami;
sg Sango; si Sinhala; sk Slovak; sl Slovenian; sm Samoan; sn Shona; so Somali; sq Albanian; sr Serbian;
ss Swati; st Southern Sotho; su Sundanese; sv Swedish; sw Swahili; ta Tamil; te Telugu; tg Tajik; th Thai;
ti Tigrinya; tk Turkmen; tl Tagalog; tn Tswana; to Tongan; tr Turkish; ts Tsonga; tt Tatar; ty Tahitian;
ug Uyghur; uk Ukrainian; ur Urdu; uz Uzbek; ve Venda; vi Vietnamese; wo Wolof; xh Xhosa; yi Yiddish; yo Yoruba;
yue Cantonese; za Zhuang; zh Chinese; zu Zulu
"""
_NAMES = dict(re.findall(r"([a-z]+)\s([^;]+)", _LISTED.replace("\n", " ")))


_SHORT = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z]{4})?(?:[-_](?:[A-Za-z]{2}|[0-9]{3}))?\Z")


def is_code(text: str) -> bool:
    """Says whether a text is a language code and no more: a language, perhaps a script, perhaps a region.

    What a corpus or a model states as a language may be anything; a prompt names it only if it is this.
    """
    return _SHORT.match(text) is not None


def primary(code: str) -> str:
    """Returns the language of a code without region and script: `pt` for `pt-BR` and `pt_br`."""
    return re.split("[-_]", code, maxsplit=1)[0].casefold()


def language_name(code: str) -> str:
    """Returns the English name of a language with its code, such as `German (de)`; the bare code of an unknown one."""
    name = _NAMES.get(primary(code))
    return f"the language with the code {code}" if name is None else f"{name.strip()} ({code})"

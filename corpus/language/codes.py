"""Our code for a language by the label that a fastText model gives: ISO 639-1 where there is one, else ISO 639-3, as lid.176 has it.

GlotLID and OpenLID label ``__label__`` + ISO 639-3 + ``_`` + script. A label without a script is taken as it is: lid.176's are what we use
(and its ``als`` is Alemannic, which ISO 639-3 calls ``gsw``).

>>> [code("__label__deu_Latn"), code("__label__cmn_Hani"), code("__label__nds_Latn"), code("__label__de"), code("__label__und_Mong")]
['de', 'zh', 'nds', 'de', None]
"""

from functools import lru_cache

# ISO 639-3 -> ISO 639-1; after | the single languages that are meant where we say the macrolanguage (Mandarin for Chinese)
_PAIRS = """
aar:aa abk:ab ave:ae afr:af aka:ak amh:am arg:an ara:ar asm:as ava:av aym:ay aze:az bak:ba bel:be bul:bg bis:bi bam:bm ben:bn bod:bo bre:br
bos:bs cat:ca che:ce cha:ch cos:co cre:cr ces:cs chu:cu chv:cv cym:cy dan:da deu:de div:dv dzo:dz ewe:ee ell:el eng:en epo:eo spa:es est:et
eus:eu fas:fa ful:ff fin:fi fij:fj fao:fo fra:fr fry:fy gle:ga gla:gd glg:gl grn:gn guj:gu glv:gv hau:ha heb:he hin:hi hmo:ho hrv:hr hat:ht
hun:hu hye:hy her:hz ina:ia ind:id ile:ie ibo:ig iii:ii ipk:ik ido:io isl:is ita:it iku:iu jpn:ja jav:jv kat:ka kon:kg kik:ki kua:kj kaz:kk
kal:kl khm:km kan:kn kor:ko kau:kr kas:ks kur:ku kom:kv cor:kw kir:ky lat:la ltz:lb lug:lg lim:li lin:ln lao:lo lit:lt lub:lu lav:lv mlg:mg
mah:mh mri:mi mkd:mk mal:ml mon:mn mar:mr msa:ms mlt:mt mya:my nau:na nob:no nde:nd nep:ne ndo:ng nld:nl nno:nn nor:no nbl:nr nav:nv nya:ny
oci:oc oji:oj orm:om ori:or oss:os pan:pa pli:pi pol:pl pus:ps por:pt que:qu roh:rm run:rn ron:ro rus:ru kin:rw san:sa srd:sc snd:sd sme:se
sag:sg hbs:sh sin:si slk:sk slv:sl smo:sm sna:sn som:so sqi:sq srp:sr ssw:ss sot:st sun:su swe:sv swa:sw tam:ta tel:te tgk:tg tha:th tir:ti
tuk:tk tgl:tl tsn:tn ton:to tur:tr tso:ts tat:tt twi:tw tah:ty uig:ug ukr:uk urd:ur uzb:uz ven:ve vie:vi vol:vo wln:wa wol:wo xho:xh yid:yi
yor:yo zha:za zho:zh zul:zu
| arb:ar ayr:ay azj:az ekk:et pes:fa fuv:ff gug:gn knc:kr kmr:ku lvs:lv plt:mg khk:mn zsm:ms npi:ne gaz:om ory:or pbt:ps quy:qu als:sq
swh:sw uzn:uz ydd:yi cmn:zh
"""
_NONE = ("und", "zxx", "mis", "mul")  # undetermined, no language, not coded, several


@lru_cache(maxsize=4096)
def code(label: str) -> str | None:
    """Label of a model -> code; None where it says that there is no language."""
    language, has_script, _ = label.removeprefix("__label__").partition("_")
    if language in _NONE:
        return None
    return _table().get(language, language) if has_script else language


@lru_cache(maxsize=1)
def _table() -> dict[str, str]:
    pairs = (pair.partition(":") for pair in _PAIRS.replace("|", " ").split())
    return {three: two for three, _, two in pairs}

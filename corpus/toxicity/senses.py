"""Senses in which a listed English word insults nobody: a word near it tells medicine, law, birds or a name from abuse.

Lists of profanities hold "sex", "anus", "rape", "tit" and "cock": by them alone a page on cancer, a verdict or a bird book is toxic, and
what a corpus loses is what was written about women, minorities and victims (Dodge et al., arXiv 2104.08758).

    is_innocent("tit", ["a", "great", "tit", "in", "its", "nest"], 2) -> True
"""

from collections.abc import Sequence

NEAR = 12  # words to both sides: about a sentence


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split("|"))


_MEDICINE = _listed(
    "anatomy|anatomical|antibiotics|biology|biopsy|bowel|cancer|cells|cervical|clinic|clinical|colon|"
    "condition|consent|contraception|contraceptive|"
    "diagnosis|disease|diseases|disorder|doctor|doctors|dose|education|fertility|gender|gynecology|"
    "gynaecology|health|hiv|hormone|hormones|hospital|"
    "hygiene|infant|infection|infections|insect|mammal|mammals|medical|medication|medicine|muscle|"
    "muscles|nerve|nurse|organ|organs|orientation|"
    "patient|patients|pelvic|physician|pregnancy|pregnant|reproduction|reproductive|species|spine|std|"
    "surgeon|surgery|surgical|symptom|symptoms|"
    "therapy|tissue|transmitted|treatment|tumor|tumour|urinary|urology|vaccine|palsy"
)
_LAW = _listed(
    "accused|act|against|allegation|allegations|allegedly|arrested|assault|attorney|charge|charged|"
    "charges|convicted|conviction|court|courts|crime|"
    "crimes|criminal|detective|guilty|harassment|investigation|judge|jury|justice|law|laws|lawsuit|"
    "legislation|murder|offence|offense|police|prison|"
    "prosecution|prosecutor|sentence|sentenced|statute|survivor|survivors|testimony|trial|verdict|victim|victims|violence|war"
)
_HISTORY = _listed(
    "army|bible|biblical|century|civil|colonial|egypt|emperor|empire|exodus|film|germany|historian|"
    "historical|history|king|league|literature|museum|"
    "nazi|novel|palace|party|political|propaganda|rights|segregation|slave|slavery|slaves|spirituals|"
    "supremacist|supremacy|symbol|war"
)
_ANIMALS = _listed(
    "animal|animals|barn|bird|birds|birdwatching|blue|breed|breeder|breeding|breeds|cat|cats|coal|dog|"
    "dogs|donkey|donkeys|eggs|farm|feathers|feeder|"
    "fighting|fox|garden|great|hen|hens|horse|horses|hounds|kennel|litter|long-tailed|maine|marsh|mule|"
    "nest|nesting|nests|ox|pedigree|poultry|puppies|"
    "raccoon|rider|riding|robin|rodeo|rooster|saddle|species|tailed|weather|weathercock|whelp|willow|woodland|woodpecker"
)
_PLACES = _listed(
    "alley|austria|bavarian|county|fell|garmisch|hamlet|hill|island|lane|map|mountain|municipality|"
    "newfoundland|orkney|parish|pennsylvania|river|road|"
    "savoie|shetland|street|town|village"
)
_TRADES = _listed(
    "air|album|aircraft|art|artist|band|barbell|barrel|blood|bullets|chromosome|chromosomes|cigarette|"
    "clay|concrete|convoy|drain|exhibition|flywheel|"
    "gallery|gun|guitar|hinge|jazz|joint|lift|lifter|lifting|magazine|masters|militia|museum|music|navy|"
    "olympic|olympics|painter|painting|paintings|"
    "photograph|pipe|pump|punk|recoil|record|rifle|rock|rugby|scrum|scrumhalf|sculpture|ship|ships|shoot|"
    "shooting|shotgun|singer|singing|song|songs|"
    "stock|tube|try|vacuum|water|weightlifting|wood|xy"
)
_NAMES = _listed(
    "advocaat|and|bond|cavett|cheney|clark|durbin|dyke|fosbury|francis|grayson|harry|k|melville|moby|"
    "nabokov|nixon|philip|richard|rick|senator|tom|"
    "tracy|turpin|van|whale|whittington|wolf"
)

_SENSES: tuple[tuple[str, frozenset[str]], ...] = (
    (
        "anal|anus|breasts|cialis|clitoris|ejaculation|fecal|genitals|intercourse|masturbation|nipple|"
        "nipples|orgasm|penis|rectum|semen|sex|"
        "sexual|sexuality|sexually|spastic|strap on|tied up|vagina|viagra|vulva|gay sex|girl on|xx|nude|"
        "nudity|fingering|domination|suck|sucks",
        _MEDICINE,
    ),
    (
        "bestiality|date rape|daterape|erotic|grope|how to kill|how to murder|incest|neonazi|paedophile|"
        "pedophile|porn|pornography|rape|raping|rapist|"
        "sex|sexual|sexually|sexuality|sodomy|swastika|white power|whore|negro|hooker|escort|strip club|voyeur|tied up|intercourse",
        _LAW,
    ),
    ("bastard|bondage|domination|eunuch|negro|neonazi|sodomy|strappado|swastika|white power|whore|sadism|lolita", _HISTORY),
    ("ass|bareback|bastard|bitch|bitches|butt|cock|cocks|coon|coons|pussy|scat|tit|tits|beaver|snatch|humping", _ANIMALS),
    ("cock|dildo|fucking|intercourse|pussy|titty|twatt|twat|wank|spunk|bastard", _PLACES),
    (
        "butt|cock|escort|hardcore|hard core|hooker|nude|nudity|playboy|scat|skeet|snatch|suck|sucks|"
        "tainted love|topless|undressing|vibrator|xx|"
        "xxx|erotic|erotism|domination|shrimping|fingering|strap on|tosser|bollocks",
        _TRADES,
    ),
    ("dick|lolita|octopussy|santorum", _NAMES),
)
_NEAR_WORDS: dict[str, frozenset[str]] = {}
for _entries, _near in _SENSES:
    for _entry in _entries.split("|"):
        _NEAR_WORDS[_entry] = _NEAR_WORDS.get(_entry, frozenset()) | _near


def is_innocent(entry: str, words: Sequence[str], at: int) -> bool:
    """Whether ``entry`` (its words joined by spaces), which begins at ``words[at]``, stands near a word of a sense that insults nobody."""
    near = _NEAR_WORDS.get(entry)
    return near is not None and not near.isdisjoint(words[max(0, at - NEAR) : at + NEAR + 1])

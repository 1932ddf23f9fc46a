"""Function words: what no keyword query needs, and what links a sentence to something outside it."""

# ruff: noqa: RUF001 - signs of other scripts are meant as they stand
# ruff: noqa: SIM905 - a list of words is best read as words

STOPWORDS = frozenset(
    (
        # English
        "a about above after again against all also although always am an and any are aren't as at be because been "
        "before being below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't "
        "down during each either else etc even ever every few for from further get gets getting give given gives had "
        "has have haven't having he her here hers herself him himself his how however i if in into is isn't it it's "
        "its itself just least less let like made make makes many may me might more most much must my myself never "
        "no nor not now of off often on once one ones only onto or other others otherwise our ours out over own per "
        "perhaps put rather same see set several shall she should since so some such take taken takes than that "
        "that's the their theirs them themselves then there therefore these they this those though through thus to "
        "too two under until up upon us use used uses using usually very via was wasn't way we well were what when "
        "where whether which while who whom whose why will with within without won't would yes yet you your yours "
        "called call calls common different example examples found include includes including known need needs note "
        "possible result results return returned returns several various want know help helps helping learn show "
        "shows true false none "
        # German
        "aber alle allem allen aller alles als am an andere anderen auch auf aus bei beim bin bis bist da dabei damit "
        "dann das dass dem den denn der des dessen die dies diese diesem diesen dieser dieses doch dort du durch ein "
        "eine einem einen einer eines er es etwa für gegen hat hatte hatten haben hier ich ihm ihn ihr ihre ihrem "
        "ihren "
        "im in ins ist jede jedem jeden jeder jedoch kann kein keine können man mehr mit muss nach nicht noch nur ob "
        "oder ohne sehr sein seine seinem seinen seiner seit sich sie sind so sollte sowie über um und unter vom von "
        "vor war waren was weil welche wenn werden wie wieder wird wir wurde wurden zu zum zur zwar zwischen "
        # French
        "ainsi après au aucun aussi autre autres aux avait avant avec avoir ce ceci cela celle celui ces cet cette "
        "ceux "
        "chaque comme dans de depuis des donc dont du elle elles en encore entre est et été être eux fait faire il ils "
        "je jusque la laquelle le lequel les leur leurs lors lorsque lui mais même ne ni nos notre nous on ont ou où "
        "par parce pas peut peuvent plus pour pourquoi quand que quel quelle qui quoi sa sans se selon ses si son sont "
        "sous sur tandis tous tout toute toutes très tu un une vers vous "
        # Spanish, Portuguese, Italian
        "al algunas algunos ante antes aquel como con contra cual cuando cuya cuyo de del desde donde durante e el "
        "ella "
        "ellas ellos en entre era es esa ese eso esta estas este esto estos fue fueron ha han hasta hay la las lo los "
        "mas más me mi mientras muy no nos o otra otro otros para pero por porque pues que qué quien se según ser si "
        "sin sino sobre son su sus también tan tanto te tiene todo todos tras tu un una uno unos y ya "
        "ao aos aquele até com da das dele depois dos ela ele eles em essa esse esta foi foram isso isto já mesmo "
        "muito na nas não nem no nos num numa os ou pela pelas pelo pelos qual quando quem seu seus só sua suas também "
        "têm um uma umas uns agli ai alla alle anche anni che chi ci cui dai dal dalla degli dei del della delle di "
        "dopo ed era essere fra gli hanno il in io loro ma nei nel nella nelle non nostro per perché più poi quale "
        "quando quella quello questa questo quindi senza si sia sono stata stato su sua sue sugli sul sulla sulle suo "
        "tra tutti tutto un una uno "
        # Dutch, Swedish, Polish
        "aan bij dat de deze dit door een en er geen haar heeft het hij hun ik je kan maar meer met naar niet nog ook "
        "om onder op over te tot uit van veel voor waar wat werd wie wordt zich zij zijn zoals att av det den detta "
        "dessa eller ett från för har hon inte kan med när och om på sin som till var vid ale aby był była było by być "
        "co czy dla do go i ich jak jako jego jej jest już który która które lub ma na nie niż o od oraz po pod przez "
        "przy są się tak to tym w we z za ze że "
        # Russian, Ukrainian
        "а без более бы был была были было быть в вам вас во все всего всех вы где для до его ее её если есть еще ещё "
        "же за здесь и из или им их к как ко когда которая которого которое которой которые который которых кто ли "
        "между меня мне может мы на над не него нее неё нет ни них но ну о об он она они оно от очень по под после при "
        "с свои свое своего себя со так также такие такой там те тем то того только том у уже чего чем что чтобы эта "
        "эти это этого этой этом этот я та й є що як або від для до з за й його її які яка який "
        # Greek
        "αλλά αν από αυτά αυτή αυτό αυτός για δεν είναι ένα ένας εκτός επίσης η ή ήταν θα και κατά με μετά μια μία να "
        "ο οι όπως όταν ότι που προς σε στα στη στην στις στο στον στους στων τα τη την της τις το τον του τους των ως "
        # Arabic, Persian
        "إلى أن أو أي إن إذا التي الذي الذين بعد بعض بل بين تم ثم حتى حيث خلال ذلك دون على عن عند غير في قبل قد كان "
        "كانت كل كما لا لقد لكن لم لن له لها ما مع من منذ منها هذا هذه هو هي و وقد وكان وهو وهي يكون از این آن است با "
        "برای به بود تا در را شد شده که می و یا "
        # Hindi
        "अपने अपनी आदि इन इस इसके उन उनके उस उसके एक एवं ऐसे और कर करता करते करना करने का कि किया की कुछ के को कोई "
        "गया गई जब जा जाता जाती जाने जो तक तथा था थी थे द्वारा दिया ने नहीं पर बाद भी में यह या ये रहा रहे लिए वह "
        "वाले वे साथ से हुआ हुई हुए है हैं हो होता होती होने "
        # Turkish, Vietnamese, Indonesian
        "ama ancak bir bu çok da daha de değil diye en gibi göre hem her için ile ise kadar ki mi ne o olan olarak "
        "oldu sonra şu ve veya ya bị cho chỉ có của cùng cũng đã đang để đến được hay khi không là làm một này nên "
        "người "
        "như nhưng những ở phải qua ra rằng sau sẽ tại theo thì từ và vào về với vì ada adalah akan dan dari dengan "
        "di ini itu juga karena ke oleh pada sebagai serta telah tidak untuk yang"
    ).split()
)
"""Function words, in lower case."""

HAN_FUNCTION_SIGNS = "的了是在和与與及或为為以而其之也就都被把从從到对對这這那有不由于於他她它们們所并並但因将將已曾"
"""Chinese signs that stand between phrases rather than in them."""

LEANING_STARTS = frozenset(
    (
        "it its it's this these that those they their them he his him she her such both also however therefore thus "
        "hence then otherwise instead moreover furthermore additionally here there but and or so because although "
        "for see note example finally similarly likewise consequently again another other others later next first "
        "second third afterwards meanwhile nevertheless still yet dies diese dieser dieses er sie es ihre seine "
        "dadurch deshalb daher außerdem jedoch aber und danach dabei il elle ils elles cela cette ces cet ce son sa "
        "ses leur mais donc ainsi este esta estos estas esto ese esa ello ellos ella su sus pero además también "
        "он она оно они это этот эта эти его её их но также однако αυτό αυτή αυτός αυτά هذا هذه ذلك وهو وهي यह ये वह "
        "वे इस bu onun ancak này đó nó"
    ).split()
)
"""First words that make a sentence lean on the one before it, in lower case."""

LEANING_SIGNS = (
    "这",
    "這",
    "那",
    "它",
    "他",
    "她",
    "其",
    "此",
    "但",
    "而",
    "また",
    "その",
    "この",
    "これ",
    "それ",
    "しかし",
)
"""The same for scripts without spaces: how such a sentence begins."""

POINTING = frozenset(
    "this these those it it's dieser diese dieses diesem diesen cette ces ceux este esta estos estas esse essa "
    "questo questa "
    "deze dit этот эта это эти هذا هذه यह इस".split()
)
"""Words that point to something said before, wherever they stand early in a sentence."""

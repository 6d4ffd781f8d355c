"""Words that are no passwords: what people of this country and this trade choose first. Our own list, lower case, letters and digits.

NIST SP 800-63B-4 section 3.1.1.2 asks for a list of commonly used, expected or compromised values; as the shortest password has
eight characters, and fifteen where it stands alone, the list holds what is found at that length: words, their doubles and
strings of two (see `password.check_new`), and rows of keys.
"""

from __future__ import annotations

SEQUENCES = (
    "0123456789012345678901234567890123456789",
    "9876543210987654321098765432109876543210",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcbazyxwvutsrqponmlkjihgfedcba",
    "azertyuiopqsdfghjklmwxcvbnazertyuiopqsdfghjklmwxcvbn",
    "qwertyuiopasdfghjklzxcvbnmqwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnmqwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "1a2z3e4r5t6y7u8i9o0p",
    "a1b2c3d4e5f6g7h8i9j0",
    "1a2b3c4d5e6f7g8h9i0j",
)
"""Rows of keys and of characters; a password that is a piece of one is refused. `0`, `1`, `3` … are also tried as letters."""

_WORDS = """
    123456 12345678 123456789 1234567890 111111 000000 123123 654321 666666 987654321 112233 121212 159753 147258369
    password passwort paswoord wachtwoord motdepasse motpasse kennwort passw0rd passphrase pass passe wachtzin secret geheim geheimnis
    secretpassword mypassword mijnwachtwoord monmotdepasse meinpasswort nieuwwachtwoord newpassword changeme wijzigmij changezmoi
    veranderdit aendernmich default standaard defaut standard temp temporary tijdelijk temporaire test tester testing proef essai
    demo sample example voorbeeld exemple beispiel guest gast invite user gebruiker utilisateur benutzer login logon signin aanmelden
    connexion anmelden welcome welkom bienvenue willkommen hello hallo bonjour bonsoir goedendag gutentag dag salut letmein
    laatmebinnen laissemoientrer openup open sesame openseasame opensesame enter access toegang acces zugang admin administrator
    administrateur beheerder verwalter root superuser system systeem systeme master meester maitre chef boss manager service support
    helpdesk office bureau kantoor buero computer ordinateur rechner laptop internet website server windows linux google microsoft
    apple samsung iphone android facebook youtube whatsapp instagram

    love liefde amour liebe iloveyou ikhouvanjou ikhouvanu jetaime ichliebedich loveyou jtm schatje schat lieverd cheri cherie doudou
    mamour moncoeur coeur hart herz heart angel engel ange princess prinses princesse prinzessin prince sunshine zonneschijn soleil
    sonnenschein sun zon sonne flower bloem bloemetje fleur blume butterfly vlinder papillon schmetterling baby bebe family familie
    famille mama papa maman mother father mutter vater moeder vader oma opa freedom vrijheid liberte freiheit happy gelukkig heureux
    gluecklich forever vooraltijd toujours immer magic magie money geld argent dream droom reve traum

    monkey aap singe affe dragon draak drache tiger tijger tigre lion leeuw loewe horse paard cheval pferd dog hond chien hund cat kat
    chat katze poes poezen minou bear beer ours baer wolf loup eagle adelaar aigle adler shadow schaduw ombre schatten batman superman
    spiderman pokemon pikachu starwars matrix minecraft ninja hunter jager chasseur killer pirate piraat mustang ferrari porsche
    mercedes harley yamaha football voetbal foot fussball soccer basketball baseball hockey tennis cycling wielrennen cyclisme velo fiets
    anderlecht clubbrugge standardliege rscanderlecht krcgenk kaagent antwerp beerschot charleroi liverpool arsenal chelsea barcelona
    realmadrid juventus ajax feyenoord psv

    january february march april may june july august september october november december januari februari maart mei juni juli augustus
    oktober janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre januar februar maerz dezember
    monday tuesday wednesday thursday friday saturday sunday maandag dinsdag woensdag donderdag vrijdag zaterdag zondag lundi mardi
    mercredi jeudi vendredi samedi dimanche montag dienstag mittwoch donnerstag freitag samstag sonntag spring summer autumn winter
    lente zomer herfst printemps ete automne hiver fruehling sommer herbst christmas kerstmis noel weihnachten holiday vakantie vacances
    urlaub newyear nieuwjaar nouvelan birthday verjaardag anniversaire geburtstag

    chocolate chocolade chocolat schokolade coffee koffie cafe kaffee friet frieten frites bier biere beer pizza cookie koekje cheese kaas
    fromage banana banaan banane orange citroen pepper ginger trustno1 whatever nothing niets rien nichts iets something unknown
    onbekend inconnu unbekannt blabla qwerty azerty qwertz qwerty123 azerty123 abc abcd abc123 asdf asdfgh zxcvbn aaaa zzzz xxxx

    belgium belgie belgique belgien vlaanderen flandre flandern wallonie wallonia wallonien brussel bruxelles bruessel brussels antwerpen
    anvers gent gand ghent brugge bruges luik liege luettich namen namur leuven louvain mechelen malines hasselt oostende ostende kortrijk
    courtrai mons bergen doornik tournai eupen aarlen arlon genk aalst alost roeselare europe europa
    jan janssens peeters maes jacobs mertens willems claes goossens wouters depaepe dubois lambert dupont martin simon laurent leroy
    thomas nicolas julie sarah emma louise marie sophie anne laura lucas louis arthur noah liam michael jennifer jordan ashley charlie

    ksz bcss zdss cbss kruispuntbank banquecarrefour crossroadsbank crossroads kruispunt carrefour socialezekerheid securitesociale
    sozialesicherheit socialsecurity sociale sociaal social sociales sozial zekerheid securite sicherheit security veiligheid beveiliging
    gateway portaal portail portal extranet netwerk reseau netz network machtiging autorisation authorisation genehmigung dossier
    pensioen pension rente ziekenfonds mutualite mutuelle krankenkasse rijksregister registrenational nationalregister rijksdienst rsz
    onss rva onem rizi inami fod spf federal federaal overheid gouvernement regierung government ambtenaar fonctionnaire beamter official
    werk travail arbeit work job baan collega collegue kollege team dienst abteilung departement afdeling instelling institution
    einrichtung token itsme eid csam fas
"""

COMMON = frozenset(_WORDS.split())

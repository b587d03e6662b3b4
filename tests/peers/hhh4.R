# Fits hhh4 models of the R package surveillance and writes log-likelihoods and coefficients.
# Run by tests/peers/test_surveillance.py as a separate program.
suppressMessages(library(surveillance))
show <- function(name, fit) {
  cat(sprintf("%s\tlogLik\t%.10f\n", name, as.numeric(logLik(fit))))
  for (key in names(coef(fit))) {
    cat(sprintf("%s\t%s\t%.10f\n", name, key, coef(fit)[[key]]))
  }
}
data(influMen)
men <- disProg2sts(influMen)[, "meningococcus"]
seasonal <- addSeason2formula(f = ~1, S = 1, period = 52)
show("negbin", hhh4(men, list(end = list(f = seasonal), family = "NegBin1")))
show("autoregression", hhh4(men, list(ar = list(f = ~1), end = list(f = seasonal), family = "NegBin1")))

data("measlesWeserEms")
basic <- list(
  end = list(f = addSeason2formula(~1 + t, period = 52), offset = population(measlesWeserEms)),
  ar = list(f = ~1),
  ne = list(f = ~1, weights = neighbourhood(measlesWeserEms) == 1),
  family = "NegBin1"
)
show("measles", hhh4(measlesWeserEms, basic))
distant <- basic
distant$ne$weights <- W_powerlaw(maxlag = 5)
show("powerlaw", hhh4(measlesWeserEms, distant))
writeLines("#counts")
write.table(observed(men), sep = ",", col.names = FALSE, row.names = FALSE)
writeLines("#measles")
write.table(observed(measlesWeserEms), sep = ",", col.names = FALSE, row.names = FALSE)
writeLines("#order")
write.table(neighbourhood(measlesWeserEms), sep = ",", col.names = FALSE, row.names = FALSE)
writeLines("#population")
write.table(population(measlesWeserEms)[1, ], sep = ",", col.names = FALSE, row.names = FALSE)
